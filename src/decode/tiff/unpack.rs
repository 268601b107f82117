//! From the parts of a TIFF to rows of numbers as they are: unpacked, and with differences summed up.

use std::borrow::Cow;
use std::io::Read;

use weezl::BitOrder;

use super::fax::{self, Coding};
use super::lzw;
use super::page::{Kind, Page};
use crate::decode::DecodeError;

/// Most memory that old data may be kept in to be repeated, by streams that say themselves how much they want.
pub(super) const MOST_WINDOW: u64 = 64 << 20;

/// The first `rows` rows of a part.
pub(super) fn rows<'a>(
    page: &Page,
    part: &'a [u8],
    rows: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let row_bytes = page.row_bytes().unwrap_or_default();
    let len = if page.is_shared() {
        page.shared_bytes(rows)
    } else {
        row_bytes.checked_mul(rows)
    };
    let len = len.ok_or(DecodeError::Broken("the fields of the TIFF"))?;
    let part = if page.is_reversed {
        Cow::Owned(part.iter().map(|byte| byte.reverse_bits()).collect())
    } else {
        Cow::Borrowed(part)
    };
    let mut unpacked = match page.compression {
        1 => part,
        _ => Cow::Owned(unpack(page, &part, rows, len)?),
    };
    if unpacked.len() < len {
        return Err(DecodeError::Truncated);
    }
    match &mut unpacked {
        Cow::Borrowed(bytes) => *bytes = &bytes[..len],
        Cow::Owned(bytes) => bytes.truncate(len),
    }
    let kept = page.channels_together();
    match (page.predictor, page.bits) {
        (2, 8 | 16 | 32 | 64) => {
            for row in unpacked.to_mut().chunks_exact_mut(row_bytes.max(1)) {
                sum_up(page, row, kept);
            }
        }
        (3, 16 | 24 | 32 | 64) if page.kind == Kind::Float => {
            for row in unpacked.to_mut().chunks_exact_mut(row_bytes.max(1)) {
                join_bytes(page, row, kept);
            }
        }
        (0 | 1, _) => {}
        _ => {
            return Err(DecodeError::Unsupported(
                "a TIFF of such differences".into(),
            ));
        }
    }
    Ok(unpacked)
}

fn unpack(page: &Page, part: &[u8], rows: usize, len: usize) -> Result<Vec<u8>, DecodeError> {
    let fax = |coding| {
        let is_fax = page.bits == 1 && page.channels_together() == 1;
        let rows = is_fax.then(|| fax::unpack(part, coding, page.chunk_width, rows));
        rows.flatten().ok_or(DecodeError::Truncated)
    };
    match page.compression {
        2 => fax(Coding::Runs(8)),
        32_771 => fax(Coding::Runs(16)),
        3 => fax(Coding::Group3 {
            is_two_dimensional: page.fax_options & 1 != 0,
        }),
        4 => fax(Coding::Group4),
        // Before 1990 bits came from the other end.
        5 if matches!(part, [0, second, ..] if second & 1 != 0) => Ok(unpack_old_lzw(part, len)),
        5 => lzw::unpack(part, len),
        8 | 32_946 => read(flate2::read::ZlibDecoder::new(part), len),
        32_773 => unpack_runs(part, len),
        50_000 => {
            let stream =
                ruzstd::decoding::StreamingDecoder::new_with_max_window_size(part, MOST_WINDOW);
            read(stream.map_err(|_| DecodeError::Broken("Zstandard"))?, len)
        }
        34_925 => {
            let most = (MOST_WINDOW >> 10) as u32;
            read(lzma_rust2::XzReader::new_mem_limit(part, false, most), len)
        }
        _ => Err(DecodeError::Unsupported(
            "a TIFF that is packed like this".into(),
        )),
    }
}

/// What ends early is cut.
fn read(stream: impl Read, len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut bytes = Vec::with_capacity(len);
    let read = stream.take(len as u64).read_to_end(&mut bytes);
    if bytes.len() < len && read.is_err() {
        return Err(DecodeError::Truncated);
    }
    Ok(bytes)
}

fn unpack_old_lzw(part: &[u8], len: usize) -> Vec<u8> {
    let mut decoder = weezl::decode::Decoder::new(BitOrder::Lsb, 8);
    let mut unpacked = vec![0; len];
    let (mut from, mut to) = (0, 0);
    while to < len {
        let step = decoder.decode_bytes(&part[from..], &mut unpacked[to..]);
        from += step.consumed_in;
        to += step.consumed_out;
        let is_stuck = step.consumed_in == 0 && step.consumed_out == 0;
        if is_stuck || !matches!(step.status, Ok(weezl::LzwStatus::Ok)) {
            break;
        }
    }
    unpacked.truncate(to);
    unpacked
}

/// A count and as many bytes, or a count and one byte for all.
fn unpack_runs(mut part: &[u8], len: usize) -> Result<Vec<u8>, DecodeError> {
    let mut unpacked = Vec::with_capacity(len);
    while unpacked.len() < len {
        let (count, rest) = part.split_first().ok_or(DecodeError::Truncated)?;
        part = match *count {
            0..128 => {
                let count = usize::from(*count) + 1;
                let (bytes, rest) = rest.split_at_checked(count).ok_or(DecodeError::Truncated)?;
                unpacked.extend_from_slice(&bytes[..count.min(len - unpacked.len())]);
                rest
            }
            128 => rest,
            _ => {
                let (byte, rest) = rest.split_first().ok_or(DecodeError::Truncated)?;
                let count = (257 - usize::from(*count)).min(len - unpacked.len());
                unpacked.resize(unpacked.len() + count, *byte);
                rest
            }
        };
    }
    Ok(unpacked)
}

/// Each number is what it is more than the one before it in its channel.
fn sum_up(page: &Page, row: &mut [u8], channels: usize) {
    if page.bits == 8 {
        for at in channels..row.len() {
            row[at] = row[at].wrapping_add(row[at - channels]);
        }
        return;
    }
    let len = page.bits / 8;
    let mut before = vec![0_u64; channels];
    for pixel in row.chunks_exact_mut(len * channels) {
        for (number, before) in pixel.chunks_exact_mut(len).zip(&mut before) {
            *before = before.wrapping_add(page.numbers.join(number));
            let bytes = before.to_le_bytes();
            for (place, to) in number.iter_mut().enumerate() {
                let place = if page.numbers.is_little {
                    place
                } else {
                    len - 1 - place
                };
                *to = bytes[place];
            }
        }
    }
}

/// First all highest bytes of a row's numbers, then all next ones, each as what it is more than the one before.
fn join_bytes(page: &Page, row: &mut [u8], channels: usize) {
    for at in channels..row.len() {
        row[at] = row[at].wrapping_add(row[at - channels]);
    }
    let len = page.bits / 8;
    let count = row.len() / len;
    let apart = row.to_vec();
    for (at, number) in row.chunks_exact_mut(len).enumerate() {
        for place in 0..len {
            let from = apart[place * count + at];
            let to = if page.numbers.is_little {
                len - 1 - place
            } else {
                place
            };
            number[to] = from;
        }
    }
}
