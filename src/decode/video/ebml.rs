//! The elements that Matroska is made of: numbers of variable length, and what stands behind them.

/// An element: its number, and what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) id: u32,
    /// All of it that is there.
    pub(super) content: &'a [u8],
}

/// What an element begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: u32,
    /// Of the head itself.
    pub(super) len: u64,
    /// Of what is in it; none where its writer did not know.
    pub(super) content_len: Option<u64>,
}

impl Head {
    /// The longest: four bytes and eight.
    pub(super) const MOST_BYTES: u64 = 12;

    pub(super) fn read(bytes: &[u8]) -> Option<Head> {
        let id_len = bytes.first()?.leading_zeros() as usize + 1;
        if id_len > 4 {
            return None;
        }
        let id = bytes.get(..id_len)?;
        let id = id.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let (content_len, len_len) = number(bytes.get(id_len..)?)?;
        Some(Head {
            id,
            len: (id_len + len_len) as u64,
            content_len,
        })
    }
}

/// A number and how many bytes it has; none where all its bits are set, which means that it is not known.
pub(super) fn number(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let len = first.leading_zeros() as usize + 1;
    if len > 8 {
        return None;
    }
    let rest = bytes.get(1..len)?;
    let mask = (1_u64 << (8 - len)) - 1;
    let value = rest.iter().fold(u64::from(first) & mask, |sum, byte| {
        sum << 8 | u64::from(*byte)
    });
    let unknown = (1_u64 << (7 * len)) - 1;
    Some(((value != unknown).then_some(value), len))
}

/// The elements that stand in these bytes one behind the other.
pub(super) fn elements(bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let head = Head::read(rest)?;
        let behind = rest.get(head.len as usize..)?;
        let len = head
            .content_len
            .unwrap_or(u64::MAX)
            .min(behind.len() as u64);
        let (content, left) = behind.split_at_checked(len as usize)?;
        rest = left;
        Some(Element {
            id: head.id,
            content,
        })
    })
}

/// What is in the first element of this number.
pub(super) fn find(bytes: &[u8], id: u32) -> Option<&[u8]> {
    let mut all = elements(bytes);
    all.find(|element| element.id == id)
        .map(|element| element.content)
}

/// A whole number of up to eight bytes.
pub(super) fn unsigned(content: &[u8]) -> Option<u64> {
    (content.len() <= 8).then(|| {
        content
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    })
}

/// A number of four or eight bytes.
pub(super) fn float(content: &[u8]) -> Option<f64> {
    match content.len() {
        4 => Some(f32::from_be_bytes(content.try_into().ok()?).into()),
        8 => Some(f64::from_be_bytes(content.try_into().ok()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_one_behind_the_other() {
        let bytes = [0x42, 0x86, 0x81, 7, 0xA3, 0x40, 0x02, 1, 2, 0xEC, 0xFF, 9];
        let found: Vec<_> = elements(&bytes).map(|one| (one.id, one.content)).collect();
        let expected: [(u32, &[u8]); 3] = [(0x4286, &[7]), (0xA3, &[1, 2]), (0xEC, &[9])];
        assert_eq!(found, expected, "the last is as long as what is left");
        assert_eq!(find(&bytes, 0xA3), Some(&[1, 2][..]));
        assert_eq!(elements(&[0, 0]).count(), 0);
        assert_eq!(Head::read(&[0x42]), None);
    }

    #[test]
    fn numbers_end_where_they_say() {
        assert_eq!(number(&[0x81]), Some((Some(1), 1)));
        assert_eq!(number(&[0x40, 0x81]), Some((Some(0x81), 2)));
        assert_eq!(number(&[0xFF]), Some((None, 1)));
        assert_eq!(
            number(&[1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            Some((None, 8))
        );
        assert_eq!(
            (number(&[0]), number(&[0x40]), number(&[])),
            (None, None, None)
        );
        assert_eq!(unsigned(&[1, 0]), Some(256));
        assert_eq!(unsigned(&[0; 9]), None);
        assert_eq!(float(&1.5_f32.to_be_bytes()), Some(1.5));
        assert_eq!(float(&[0; 3]), None);
    }
}
