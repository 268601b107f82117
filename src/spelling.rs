//! One name, several spellings: Unicode writes an ü as one character or as two, and file systems, editors and people differ in it.
//!
//! Names of labels, sets and files are stored and compared composed (NFC). Paths stay the bytes that the system uses, and so
//! they are looked for in every spelling that they may have.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// A path of so many spellings is looked for as a whole only.
const MOST_SPELLINGS: usize = 32;

/// The spelling that is stored and compared.
pub(crate) fn composed(text: &str) -> Cow<'_, str> {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// What names have in common that differ in capitals and spelling only.
pub(crate) fn folded(text: &str) -> String {
    composed(&composed(text).to_lowercase()).into_owned()
}

/// The spellings that a text may have where nobody composed it, each once, as it stands first.
pub(crate) fn spellings(text: &str) -> Vec<String> {
    let mut spellings = vec![text.to_owned()];
    if !text.is_ascii() {
        for spelling in [text.nfc().collect(), text.nfd().collect()] {
            if !spellings.contains(&spelling) {
                spellings.push(spelling);
            }
        }
    }
    spellings
}

/// The same for a path: each of its parts may have its own, as its folders may come from different systems.
pub(crate) fn spellings_of_path(path: &str) -> Vec<String> {
    let mut paths = vec![String::new()];
    for part in path.split_inclusive('/') {
        let spellings = spellings(part);
        if paths.len() * spellings.len() > MOST_SPELLINGS {
            return self::spellings(path);
        }
        let with = |path: &String| {
            let longer = spellings.iter().map(|part| format!("{path}{part}"));
            longer.collect::<Vec<_>>()
        };
        paths = paths.iter().flat_map(with).collect();
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPOSED: &str = "M\u{fc}nchen";
    const DECOMPOSED: &str = "Mu\u{308}nchen";

    #[test]
    fn spellings_of_a_name_are_one() {
        assert_eq!(composed(DECOMPOSED), COMPOSED);
        assert!(matches!(composed(COMPOSED), Cow::Borrowed(_)));
        for same in [COMPOSED, DECOMPOSED, "M\u{dc}NCHEN", "mU\u{308}nchen"] {
            assert_eq!(folded(same), "m\u{fc}nchen", "{same}");
        }
        assert_eq!(spellings("beach"), ["beach"]);
        assert_eq!(spellings(COMPOSED), [COMPOSED, DECOMPOSED]);
        assert_eq!(spellings(DECOMPOSED), [DECOMPOSED, COMPOSED]);
    }

    #[test]
    fn each_folder_of_a_path_has_its_own_spelling() {
        let path = format!("/{COMPOSED}/x/{DECOMPOSED}");
        let spellings = spellings_of_path(&path);
        assert_eq!((spellings.len(), &spellings[0]), (4, &path));
        for (folder, name) in [(COMPOSED, COMPOSED), (DECOMPOSED, COMPOSED)] {
            assert!(spellings.contains(&format!("/{folder}/x/{name}")));
        }
        assert_eq!(spellings_of_path("/a/b/"), ["/a/b/"]);
        // However many there are, their number is bounded.
        assert_eq!(
            spellings_of_path(&format!("{COMPOSED}/").repeat(20)).len(),
            2
        );
    }
}
