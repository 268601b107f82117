//! Colour profiles: what the numbers of a picture's colours mean, brought to what screens and models take them for, sRGB.

use std::sync::Arc;

use image::RgbImage;
use moxcms::{
    CmsError, ColorProfile, DataColorSpace, Layout, ParsingOptions, Transform8BitExecutor,
    TransformOptions,
};

use super::raster::Raster;

/// What pixels are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be looked at by people: every profile counts.
    Showing,
    /// To be looked at by a model. Those were trained on numbers whose profiles nobody read, most of them near sRGB; so a
    /// profile counts where the numbers by themselves would visibly be other colours.
    Embedding,
}

/// Most bytes of a profile; those of printing presses have three million.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// Most numbers of a table in a profile.
const MOST_TABLE: usize = 4 << 20;

/// Most numbers of a curve in a profile.
const MOST_CURVE: usize = 1 << 16;

/// How far, of 255 in the mean, a profile moves colours that count as visibly others.
const VISIBLE: f64 = 12.0;

/// Most bytes that reading a profile and keeping its tables takes, beside its own.
const TABLES: u64 = 48 << 20;

/// Most bytes that [`apply`] takes beside the picture.
pub(super) fn need(profile: Option<&[u8]>) -> u64 {
    match profile {
        Some(profile) if profile.len() <= MOST_BYTES => TABLES + 4 * profile.len() as u64,
        _ => 0,
    }
}

/// Red, green and blue in sRGB. A profile that is damaged, or of other colours than the picture's, says nothing.
pub(super) fn apply(raster: Raster, profile: Option<&[u8]>, purpose: Purpose) -> RgbImage {
    let profile = profile.and_then(Profile::read);
    let profile = profile.filter(|profile| {
        purpose == Purpose::Showing || profile.movement().is_some_and(|by| by >= VISIBLE)
    });
    match (raster, profile) {
        (Raster::Rgb(picture), Some(profile)) if profile.colors != DataColorSpace::Cmyk => {
            profile.apply_to_rgb(picture)
        }
        (
            Raster::Cmyk {
                width,
                height,
                inks,
            },
            Some(profile),
        ) if profile.colors == DataColorSpace::Cmyk => {
            let mut picture = RgbImage::new(width, height);
            match profile.transform.transform(&inks, &mut picture) {
                Ok(()) => picture,
                Err(_) => Raster::Cmyk {
                    width,
                    height,
                    inks,
                }
                .into_rgb(),
            }
        }
        (raster, _) => raster.into_rgb(),
    }
}

/// A profile that is read.
struct Profile {
    /// Those that it is of: red, green and blue, grey, or inks.
    colors: DataColorSpace,
    transform: Arc<Transform8BitExecutor>,
}

impl Profile {
    fn read(bytes: &[u8]) -> Option<Profile> {
        let options = ParsingOptions {
            max_profile_size: MOST_BYTES + 1,
            max_allowed_clut_size: MOST_TABLE,
            max_allowed_trc_size: MOST_CURVE,
        };
        let profile = ColorProfile::new_from_slice_with_options(bytes, options).ok()?;
        let colors = profile.color_space;
        let layout = match colors {
            DataColorSpace::Rgb => Layout::Rgb,
            DataColorSpace::Gray => Layout::Gray,
            DataColorSpace::Cmyk => Layout::Rgba,
            _ => return None,
        };
        let options = TransformOptions::default();
        let screen = ColorProfile::new_srgb();
        let transform = profile.create_transform_8bit(layout, &screen, Layout::Rgb, options);
        let transform = transform.ok()?;
        Some(Profile { colors, transform })
    }

    /// How far colours all over the cube are moved, of 255 in the mean.
    fn movement(&self) -> Option<f64> {
        let levels = || (0..=255).step_by(51);
        let (from, before): (Vec<u8>, Vec<u8>) = match self.colors {
            DataColorSpace::Gray => {
                let from: Vec<u8> = (0..=255).collect();
                let before = from.iter().flat_map(|grey| [*grey; 3]).collect();
                (from, before)
            }
            DataColorSpace::Cmyk => {
                let three = levels().flat_map(|c| levels().map(move |m| (c, m)));
                let three = three.flat_map(|(c, m)| levels().map(move |y| (c, m, y)));
                let inks = three.flat_map(|(c, m, y)| [0, 102].map(|k| [c, m, y, k]));
                let inks: Vec<u8> = inks.flatten().collect();
                let raster = Raster::Cmyk {
                    width: inks.len() as u32 / 4,
                    height: 1,
                    inks: inks.clone(),
                };
                (inks, raster.into_rgb().into_raw())
            }
            _ => {
                let two = levels().flat_map(|red| levels().map(move |green| (red, green)));
                let three =
                    two.flat_map(|(red, green)| levels().map(move |blue| [red, green, blue]));
                let colors: Vec<u8> = three.flatten().collect();
                (colors.clone(), colors)
            }
        };
        let mut after = vec![0; before.len()];
        self.transform.transform(&from, &mut after).ok()?;
        let moved = before.iter().zip(&after);
        let sum: u64 = moved.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        Some(sum as f64 / before.len() as f64)
    }

    /// Row by row: the picture is not held twice.
    fn apply_to_rgb(&self, mut picture: RgbImage) -> RgbImage {
        let row_bytes = picture.width() as usize * 3;
        if row_bytes == 0 {
            return picture;
        }
        let Ok(greys) = self.greys() else {
            return picture;
        };
        let mut shown = vec![0; row_bytes];
        for row in picture.chunks_exact_mut(row_bytes) {
            if let Some(greys) = &greys {
                for pixel in row.as_chunks_mut::<3>().0 {
                    // What is not grey is not what the profile is of.
                    if pixel[0] == pixel[1] && pixel[1] == pixel[2] {
                        *pixel = greys[usize::from(pixel[0])];
                    }
                }
            } else if self.transform.transform(row, &mut shown).is_ok() {
                row.copy_from_slice(&shown);
            }
        }
        picture
    }

    /// What each grey becomes, where the profile is of grey.
    fn greys(&self) -> Result<Option<Vec<[u8; 3]>>, CmsError> {
        if self.colors != DataColorSpace::Gray {
            return Ok(None);
        }
        let from: Vec<u8> = (0..=255).collect();
        let mut greys = vec![[0; 3]; from.len()];
        self.transform.transform(&from, greys.as_flattened_mut())?;
        Ok(Some(greys))
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn one(color: [u8; 3]) -> Raster {
        Raster::Rgb(RgbImage::from_pixel(2, 1, Rgb(color)))
    }

    fn shown(color: [u8; 3], profile: &[u8], purpose: Purpose) -> [u8; 3] {
        apply(one(color), Some(profile), purpose).get_pixel(1, 0).0
    }

    fn is_near(a: [u8; 3], b: [u8; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 2)
    }

    /// Models saw numbers without their profiles, most of them near sRGB.
    #[test]
    fn a_model_is_shown_what_is_visibly_moved_and_people_all() {
        let near = [
            ColorProfile::new_srgb(),
            ColorProfile::new_display_p3(),
            ColorProfile::new_adobe_rgb(),
            ColorProfile::new_gray_with_gamma(2.2),
        ];
        for profile in near {
            let profile = profile.encode().unwrap();
            let color = [200, 120, 60];
            assert_eq!(shown(color, &profile, Purpose::Embedding), color);
        }
        let far = [
            ColorProfile::new_pro_photo_rgb(),
            ColorProfile::new_bt2020(),
            ColorProfile::new_aces_cg_linear(),
        ];
        for profile in far {
            let profile = profile.encode().unwrap();
            let people = shown([120, 90, 60], &profile, Purpose::Showing);
            assert!(!is_near(people, [120, 90, 60]));
            assert_eq!(shown([120, 90, 60], &profile, Purpose::Embedding), people);
        }
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        // A red that is out of reach of sRGB is as red as it gets.
        assert!(is_near(
            shown([234, 51, 35], &p3, Purpose::Showing),
            [255, 0, 0]
        ));
        assert_eq!(shown([90; 3], &p3, Purpose::Showing), [90; 3]);
    }

    #[test]
    fn a_profile_of_grey_is_of_grey() {
        let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        assert!(is_near(
            shown([55; 3], &linear, Purpose::Embedding),
            [128; 3]
        ));
        assert_eq!(shown([9, 8, 7], &linear, Purpose::Showing), [9, 8, 7]);
    }

    #[test]
    fn a_profile_that_says_nothing_moves_nothing() {
        let profile = ColorProfile::new_pro_photo_rgb().encode().unwrap();
        let color = [120, 90, 60];
        for at in 0..profile.len() {
            let _ = shown(color, &profile[..at], Purpose::Showing);
            let mut damaged = profile.clone();
            damaged[at] ^= 0x55;
            let _ = shown(color, &damaged, Purpose::Showing);
        }
        assert_eq!(shown(color, &profile[..200], Purpose::Showing), color);
        assert_eq!(shown(color, b"", Purpose::Showing), color);
        let long = [&profile[..], &vec![0; MOST_BYTES]].concat();
        assert_eq!(shown(color, &long, Purpose::Showing), color);
        // Of red, green and blue for a picture of inks.
        let inks = Raster::Cmyk {
            width: 1,
            height: 1,
            inks: vec![0, 255, 255, 0],
        };
        let shown = apply(inks, Some(&profile), Purpose::Showing);
        assert_eq!(shown.get_pixel(0, 0).0, [255, 0, 0]);
    }
}
