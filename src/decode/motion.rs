//! Motion photos: a phone's picture with the seconds around it as a film, both in one file.

use super::boxes;
use crate::formats::Format;

/// How long the film is that stands in a picture's file, in bytes; none where there is none. It is no video of its own.
pub(super) fn film_bytes(bytes: &[u8], format: Format) -> Option<usize> {
    match format {
        // Google's and Samsung's phones put it behind the picture, some with a note of their own between.
        Format::Jpeg => {
            let starts = memchr::memmem::find_iter(bytes, b"ftyp");
            // The length of the box stands before its name.
            let films = starts.filter_map(|at| bytes.get(at.checked_sub(4)?..));
            let mut films = films.take(MOST_STARTS).filter(|film| is_film(film));
            films.next().map(<[u8]>::len)
        }
        Format::Heic | Format::Avif => {
            boxes::find(bytes, *b"mpvd").map(|found| found.content.len())
        }
        _ => None,
    }
}

/// What looks like the start of a film is looked at no more often.
const MOST_STARTS: usize = 16;

fn is_film(bytes: &[u8]) -> bool {
    boxes::find(bytes, *b"moov").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::boxes::boxed;

    #[test]
    fn a_film_is_found_behind_its_picture_or_in_its_box() {
        let film = [boxed(*b"ftyp", b"mp42"), boxed(*b"moov", b"tables")].concat();
        let jpeg = b"\xFF\xD8 ftyp, which is no film \xFF\xD9";
        let motion = [jpeg, &b"MotionPhoto_Data"[..], &film].concat();
        let of = |bytes: &[u8]| film_bytes(bytes, Format::Jpeg);
        assert_eq!((of(&motion), of(jpeg)), (Some(film.len()), None));
        assert_eq!(of(&motion[..motion.len() - 20]), None);
        let heic = [boxed(*b"ftyp", b"heic"), boxed(*b"mpvd", &film)].concat();
        let of = |bytes: &[u8]| film_bytes(bytes, Format::Heic);
        assert_eq!((of(&heic), of(&heic[..12])), (Some(film.len()), None));
    }

    #[test]
    fn many_false_starts_are_not_all_followed() {
        let film = [boxed(*b"ftyp", b"mp42"), boxed(*b"moov", b"tables")].concat();
        let starts = boxed(*b"ftyp", b"").repeat(MOST_STARTS);
        assert_eq!(
            film_bytes(&[starts, b"\0\0\0\0".to_vec(), film].concat(), Format::Jpeg),
            None
        );
    }
}
