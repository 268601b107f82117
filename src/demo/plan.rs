//! The plan of the demo library: what each picture must show, how large and in which format it is,
//! and which camera took it, when and where.

use std::path::PathBuf;

use image::ImageFormat::{self, Bmp, Gif, Jpeg, Png, Tiff, WebP};

use super::photo::{self, Shot};
use super::scene::{Scene, Wish};
use super::world::{COLOURS, THINGS};
use crate::random::Random;

/// How many pictures there are, not counting copies and the broken one.
pub(super) const ORIGINALS: usize = 145;

/// One in so many originals shows what one of the searches wants.
const FEATURED_EVERY: usize = 9;

/// Descriptions to try on the library; it has at least three pictures of each.
pub const SEARCHES: [&str; 5] = [
    "a red star",
    "three fish",
    "a house at night",
    "yellow flowers on grass",
    "a boat on the sea",
];

/// What the [`SEARCHES`] want, in the same order.
const FEATURED: [Wish; 5] = [
    Wish {
        thing: "star",
        colour: Some("red"),
        background: None,
        count: Some(1),
    },
    Wish {
        thing: "fish",
        colour: None,
        background: None,
        count: Some(3),
    },
    Wish {
        thing: "house",
        colour: None,
        background: Some("night sky"),
        count: Some(1),
    },
    Wish {
        thing: "flower",
        colour: Some("yellow"),
        background: Some("grass"),
        count: Some(4),
    },
    Wish {
        thing: "boat",
        colour: None,
        background: Some("sea"),
        count: Some(1),
    },
];

/// What a file of the library shows, for those who check what a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Where it lies in the library's folder.
    pub path: PathBuf,
    /// One of thirty things, such as `star`.
    pub thing: &'static str,
    /// The things' colour, such as `red`.
    pub colour: &'static str,
    /// What they are in front of, such as `night sky`.
    pub background: &'static str,
    /// How many of them there are, from one to seven.
    pub count: usize,
}

/// Which originals (all of them JPEGs) were taken with the camera held sideways or upside down, and
/// the orientation in their EXIF.
const TURNED: [(usize, u16); 3] = [(17, 6), (46, 8), (83, 3)];

/// Sizes, the small ones first: only JPEGs may be large.
const SIZES: [(u32, u32); 9] = [
    (320, 240),
    (480, 640),
    (640, 480),
    (600, 600),
    (800, 600),
    (600, 900),
    (1024, 768),
    (1280, 720),
    (1600, 1200),
];

/// Formats in the order in which they come round.
const FORMATS: [ImageFormat; 16] = [
    Jpeg, Jpeg, Png, Jpeg, Jpeg, WebP, Jpeg, Jpeg, Bmp, Jpeg, Jpeg, Png, Jpeg, Gif, Jpeg, Tiff,
];

/// Where the pictures with a place in their EXIF were taken: latitude and longitude.
const PLACES: [(f64, f64); 4] = [
    (59.913, 10.752),
    (38.722, -9.139),
    (-33.925, 18.424),
    (35.011, 135.768),
];

/// One in so many originals has its place noted down.
const PLACED_EVERY: usize = 8;

/// A folder of pictures by one camera in one year.
struct Album {
    year: usize,
    folder: &'static str,
    prefix: &'static str,
    camera: (&'static str, &'static str),
}

const ALBUMS: [Album; 6] = [
    Album {
        year: 2019,
        folder: "2019",
        prefix: "IMG_",
        camera: ("Lumora", "Lumora L20"),
    },
    Album {
        year: 2020,
        folder: "2020/spring",
        prefix: "IMG_",
        camera: ("Lumora", "Lumora L20"),
    },
    Album {
        year: 2021,
        folder: "2021/holiday",
        prefix: "DSC0",
        camera: ("Kestrel", "K5 Mark II"),
    },
    Album {
        year: 2022,
        folder: "2022/weekend",
        prefix: "DSC0",
        camera: ("Kestrel", "K5 Mark II"),
    },
    Album {
        year: 2023,
        folder: "2023/family",
        prefix: "PHOTO-",
        camera: ("Papaya", "Papaya Phone 9"),
    },
    Album {
        year: 2024,
        folder: "2024",
        prefix: "PHOTO-",
        camera: ("Papaya", "Papaya Phone 9"),
    },
];

/// A picture that is not yet drawn.
pub(super) struct Original {
    number: usize,
    scene: Scene,
}

/// The plan of the library.
pub(super) fn originals() -> anyhow::Result<Vec<Original>> {
    let scene = |(number, wish)| {
        let scene = Scene::choose(wish, &mut Random::new(number as u64))?;
        Ok(Original { number, scene })
    };
    wishes().into_iter().enumerate().map(scene).collect()
}

/// What each original must show: things and colours in turn, and now and then what a search wants.
fn wishes() -> Vec<Wish> {
    let pairs = THINGS.iter().cycle().zip(COLOURS.iter().cycle());
    let mut ordinary = pairs.map(|(&(thing, _), &(colour, _))| Wish {
        thing,
        colour: Some(colour),
        background: None,
        count: None,
    });
    let mut featured = FEATURED.into_iter().cycle();
    let due = |number| {
        if number % FEATURED_EVERY == 0 {
            featured.next()
        } else {
            ordinary.next()
        }
    };
    (0..ORIGINALS).filter_map(due).collect()
}

impl Original {
    fn format(&self) -> ImageFormat {
        FORMATS[self.number % FORMATS.len()]
    }

    fn album(&self) -> &'static Album {
        &ALBUMS[self.number * ALBUMS.len() / ORIGINALS]
    }

    /// Where it goes in the library's folder.
    pub(super) fn path(&self) -> PathBuf {
        let Album { folder, prefix, .. } = self.album();
        let extension = self
            .format()
            .extensions_str()
            .first()
            .copied()
            .unwrap_or_default();
        format!("{folder}/{prefix}{:03}.{extension}", 101 + self.number * 3).into()
    }

    /// What it shows.
    pub(super) fn picture(&self) -> Picture {
        Picture {
            path: self.path(),
            thing: self.scene.thing.0,
            colour: self.scene.colour.0,
            background: self.scene.background.0,
            count: self.scene.count,
        }
    }

    /// Draws it and encodes it as the file it will be.
    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        let random = &mut Random::new((ORIGINALS + self.number) as u64);
        let shot = self.shot(random);
        let picture = self.scene.paint(self.size(random), random)?;
        photo::encode(&picture, self.format(), &shot)
    }

    fn size(&self, random: &mut Random) -> (u32, u32) {
        let choices = match self.format() {
            Jpeg => SIZES.len(),
            // Finding its palette takes long.
            Gif => 1,
            _ => 4,
        };
        random.pick(&SIZES[..choices])
    }

    fn shot(&self, random: &mut Random) -> Shot {
        let Album { year, camera, .. } = self.album();
        let month = 1 + self.number * ALBUMS.len() % ORIGINALS * 12 / ORIGINALS;
        let day = 1 + random.below(28);
        let hour = 8 + random.below(13);
        let minute = random.below(60);
        Shot {
            taken_at: format!("{year}:{month:02}:{day:02} {hour:02}:{minute:02}:00"),
            camera: *camera,
            // The fourth of each eight is always a JPEG.
            place: (self.number % PLACED_EVERY == 4).then(|| random.pick(&PLACES)),
            orientation: TURNED
                .iter()
                .find(|(number, _)| *number == self.number)
                .map_or(1, |turned| turned.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use exif::{Exif, In, Reader, Tag};

    use super::*;

    fn notes(original: &Original) -> Exif {
        let mut file = Cursor::new(original.bytes().unwrap());
        Reader::new().read_from_container(&mut file).unwrap()
    }

    #[test]
    fn turned_and_placed_pictures_keep_their_notes() {
        let originals = originals().unwrap();
        for (number, orientation) in TURNED {
            let notes = notes(&originals[number]);
            let field = notes.get_field(Tag::Orientation, In::PRIMARY).unwrap();
            assert_eq!(field.value.get_uint(0), Some(orientation.into()));
        }
        let placed: Vec<_> = originals.iter().skip(4).step_by(PLACED_EVERY).collect();
        assert!(placed.len() >= 12);
        for original in placed {
            assert_eq!(original.format(), Jpeg);
            assert!(
                notes(original)
                    .get_field(Tag::GPSLatitude, In::PRIMARY)
                    .is_some()
            );
        }
    }

    #[test]
    fn the_year_of_an_album_is_the_year_in_its_pictures() {
        for original in originals().unwrap() {
            let taken_at = original.shot(&mut Random::new(0)).taken_at;
            let path = original.path();
            assert!(
                path.to_string_lossy().starts_with(&taken_at[..4]),
                "{taken_at} in {path:?}"
            );
        }
    }
}
