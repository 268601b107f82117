//! The search for JPEGs in a file of which nothing tells where they are, or only of small ones.

use memchr::memmem;

use super::previews::Previews;
use super::stream;

/// How JPEGs begin.
const START: &[u8] = b"\xFF\xD8\xFF";

/// Most that are found, and most that have no end, each of which is searched for through all the rest.
const MOST: usize = 64;
const MOST_WITHOUT_END: usize = 16;

/// Most that look like a JPEG and are none. What a sensor saw looks like it once in 16 million bytes.
const MOST_STARTS: usize = 1 << 16;

/// Finds JPEGs wherever they stand, but in what a sensor saw, and in other JPEGs.
pub(super) fn run(previews: &mut Previews<'_>) {
    let file = previews.file();
    let (mut found, mut without_end) = (0, 0);
    let (mut at, mut starts) = (0, 0);
    while found < MOST && without_end < MOST_WITHOUT_END && starts < MOST_STARTS {
        if let Some(sensor) = previews.sensor_at(at) {
            at = sensor.end;
        }
        let Some(rest) = file.get(at..) else { break };
        let Some(start) = memmem::find(rest, START) else {
            break;
        };
        at += start;
        if previews.sensor_at(at).is_some() {
            continue;
        }
        starts += 1;
        let jpeg = rest.get(start..).unwrap_or_default();
        at += START.len();
        if stream::size(jpeg).is_none() {
            continue;
        }
        if let Some(end) = stream::end(jpeg) {
            previews.add(jpeg.get(..end));
            at += end - START.len();
            found += 1;
        } else {
            previews.add_missing(jpeg.len());
            without_end += 1;
        }
    }
}
