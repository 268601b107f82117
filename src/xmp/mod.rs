//! XMP packets: which keywords they hold, and how some are written into one without losing a byte of what is in it.
//!
//! What pixdex wrote is listed in the packet itself, in properties of pixdex's own namespace. So it is known again whatever
//! becomes of the library, or of the file's place, and it is all that is ever taken out.

mod edit;
mod fields;
#[cfg(test)]
mod layouts;
mod packet;
mod parse;

use std::borrow::Cow;
use std::collections::BTreeSet;

use thiserror::Error;

use crate::charset;
use crate::spelling::composed;
pub(crate) use fields::{Fields, Name};
use packet::List;

/// More keywords of one packet, or of another place in a file, are not read.
pub(crate) const MAX_KEYWORDS: usize = 1024;

/// A longer packet is not read: its text is searched for many things.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// A longer keyword is not read.
pub(crate) const MAX_KEYWORD_BYTES: usize = 1024;

/// Why a packet cannot be read, or not be written into.
#[derive(Debug, Error)]
pub(crate) enum XmpError {
    /// More than any program writes.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLong,
    /// Every program that writes sidecars writes UTF-8.
    #[error("it is not UTF-8 text")]
    NotUtf8,
    /// Not XML.
    #[error("it is not well-formed XML: {0}")]
    Syntax(String),
    /// XML of another sort.
    #[error("it is not XMP: it has no single rdf:RDF with room for properties")]
    NotXmp,
    /// A document type can define entities, and XMP has none.
    #[error("it has a document type, which XMP has not")]
    DocumentType,
    /// Keywords in a form that cannot be added to without writing them anew.
    #[error("its {0} is not written as one list")]
    Form(&'static str),
}

/// Keywords as XMP has them, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keywords {
    /// `dc:subject`.
    pub subjects: BTreeSet<String>,
    /// `lr:hierarchicalSubject`: a keyword with those above it, as `animal|dog`.
    pub hierarchical: BTreeSet<String>,
}

impl Keywords {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.hierarchical.is_empty()
    }

    fn of(&self, list: List) -> &BTreeSet<String> {
        if list == List::HIERARCHICAL {
            &self.hierarchical
        } else {
            &self.subjects
        }
    }
}

/// The keywords of a packet that pixdex did not write, the parts of a hierarchy one by one.
pub(crate) fn read(bytes: &[u8]) -> Result<BTreeSet<String>, XmpError> {
    let fields = Fields::read(bytes);
    match fields.error {
        Some(error) => Err(error),
        None => Ok(keywords(&fields)),
    }
}

/// Where keywords stand in a packet, and what separates one from those above it.
const KEYWORDS: [(Name, Option<char>); 4] = [
    (("dc", "subject"), None),
    (("lr", "hierarchicalSubject"), Some('|')),
    (("digiKam", "TagsList"), Some('/')),
    (("MicrosoftPhoto", "LastKeywordXMP"), Some('/')),
];

/// The same of a packet that was read.
pub(crate) fn keywords(fields: &Fields) -> BTreeSet<String> {
    let mut keywords = Vec::new();
    for (name, between) in KEYWORDS {
        let own = fields.items(("pixdex", name.1));
        let own = own.filter(|(_, is_listed)| *is_listed);
        let own: BTreeSet<&str> = own.map(|(text, _)| text).collect();
        // Ours are only where they could be taken out again.
        let theirs = fields
            .items(name)
            .filter(|(text, is_listed)| !is_listed || !own.contains(text));
        for (text, _) in theirs {
            match between {
                Some(between) => keywords.extend(text.split(between)),
                None => keywords.push(text),
            }
        }
    }
    sound_keywords(keywords)
}

/// Those that are neither empty nor endless, composed, each once, and no more than are read.
pub(crate) fn sound_keywords(
    keywords: impl IntoIterator<Item = impl AsRef<str>>,
) -> BTreeSet<String> {
    let mut sound = BTreeSet::new();
    for keyword in keywords {
        let keyword = composed(keyword.as_ref().trim());
        if (1..=MAX_KEYWORD_BYTES).contains(&keyword.len()) && sound.len() < MAX_KEYWORDS {
            sound.insert(keyword.into_owned());
        }
    }
    sound
}

/// The packet in which `wanted` are the keywords that pixdex wrote; none where nothing would be in it.
///
/// A keyword that somebody else wrote is not written again, and one that somebody took out is not put back.
pub(crate) fn write(bytes: Option<&[u8]>, wanted: &Keywords) -> Result<Option<Vec<u8>>, XmpError> {
    let text = bytes.map_or(Ok(edit::EMPTY), text)?;
    let written = edit::edit(text, wanted)?;
    Ok((written != edit::EMPTY).then(|| written.into_bytes()))
}

/// Whether pixdex wrote some of these bytes.
pub(crate) fn has_own(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, packet::OWN.as_bytes()).is_some()
}

fn text(bytes: &[u8]) -> Result<&str, XmpError> {
    if bytes.len() > MAX_BYTES {
        return Err(XmpError::TooLong);
    }
    // As it is read: bytes of UTF-8 may be characters of another encoding.
    match charset::of_xml(bytes) {
        Cow::Borrowed(text) => Ok(text),
        Cow::Owned(_) => Err(XmpError::NotUtf8),
    }
}

#[cfg(test)]
mod tests {
    use super::layouts::{self, LAYOUTS};
    use super::packet::Packet;
    use super::*;

    fn keywords(subjects: &[&str], hierarchical: &[&str]) -> Keywords {
        let set = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Keywords {
            subjects: set(subjects),
            hierarchical: set(hierarchical),
        }
    }

    fn written(bytes: &[u8], wanted: &Keywords) -> Vec<u8> {
        write(Some(bytes), wanted).unwrap().unwrap()
    }

    fn names(bytes: &[u8]) -> Vec<String> {
        read(bytes).unwrap().into_iter().collect()
    }

    fn subjects(bytes: &[u8]) -> Vec<String> {
        let packet = Packet::parse(std::str::from_utf8(bytes).unwrap()).unwrap();
        packet.texts(List::SUBJECT).into_iter().collect()
    }

    #[test]
    fn what_was_written_goes_and_every_other_byte_stays() {
        let two = keywords(
            &["dog & <cat>", "Hündin"],
            &["animal|dog & <cat>", "Hündin"],
        );
        let one = keywords(&["dog & <cat>"], &["animal|dog & <cat>"]);
        let other = keywords(&["tree"], &["tree"]);
        for (name, text) in LAYOUTS {
            let original = text.as_bytes();
            let before = names(original);
            let with_two = written(original, &two);
            assert!(
                subjects(&with_two).contains(&"dog & <cat>".to_owned()),
                "{name}"
            );
            assert_eq!(names(&with_two), before, "{name}: what is ours is not read");
            assert_eq!(written(&with_two, &two), with_two, "{name}");
            let with_one = written(&with_two, &one);
            assert_eq!(with_one, written(original, &one), "{name}");
            assert_eq!(
                written(&with_one, &other),
                written(original, &other),
                "{name}"
            );
            let packet = std::str::from_utf8(&with_two).unwrap();
            let packet = Packet::parse(packet).unwrap();
            let abouts: BTreeSet<_> = packet.descriptions.iter().map(|one| &one.about).collect();
            assert_eq!(abouts.len(), 1, "{name}: all must be about the same");
            for some in [&with_two, &with_one] {
                let without = written(some, &Keywords::default());
                assert_eq!(String::from_utf8(without).unwrap(), text, "{name}");
            }
        }
    }

    #[test]
    fn no_damage_makes_it_lose_a_byte() {
        let wanted = keywords(&["dog"], &["animal|dog"]);
        for (name, text) in LAYOUTS {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            for (&at, end) in places.iter().zip(places.iter().skip(5)) {
                let (before, damaged, after) = (&text[..at], &text[at..*end], &text[*end..]);
                for damage in ["", "<", "/>", "\"", &damaged.repeat(2)] {
                    let text = format!("{before}{damage}{after}");
                    if let Ok(Some(written)) = write(Some(text.as_bytes()), &wanted) {
                        let again = write(Some(&written), &Keywords::default()).unwrap();
                        assert_eq!(again.as_deref(), Some(text.as_bytes()), "{name} at {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn others_keywords_are_read_each_part_of_a_hierarchy_by_itself() {
        for (name, text) in LAYOUTS {
            let expected: &[&str] = layouts::keywords_of(name);
            assert_eq!(names(text.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn keywords_are_one_in_whatever_form_and_spelling() {
        let sound = LAYOUTS[0].1;
        let subject = sound.find("<dc:subject>").unwrap();
        let after = |tag: &str| subject + sound[subject..].find(tag).unwrap();
        let (start, end) = (after("<rdf:li>"), after("</rdf:li>"));
        let with = |text: &str| format!("{}<rdf:li>{text}{}", &sound[..start], &sound[end..]);
        let verbatim = with("<![CDATA[R&B <live>]]>");
        let found = names(verbatim.as_bytes());
        assert!(found.contains(&"R&B <live>".to_owned()), "{found:?}");
        // Not written a second time, and everything stays to the byte.
        let same = keywords(&["R&B <live>"], &[]);
        assert_eq!(written(verbatim.as_bytes(), &same), verbatim.as_bytes());
        let apart = with("Mu\u{308}nchen");
        assert!(names(apart.as_bytes()).contains(&"M\u{fc}nchen".to_owned()));
        let same = keywords(&["M\u{fc}nchen"], &[]);
        assert_eq!(written(apart.as_bytes(), &same), apart.as_bytes());
    }

    #[test]
    fn a_packet_of_nothing_but_ours_is_made_and_goes() {
        let dog = keywords(&["dog"], &["animal|dog"]);
        let made = write(None, &dog).unwrap().unwrap();
        assert_eq!(subjects(&made), ["dog"]);
        assert!(names(&made).is_empty());
        assert_eq!(write(Some(&made), &Keywords::default()).unwrap(), None);
        assert_eq!(write(None, &Keywords::default()).unwrap(), None);
    }

    #[test]
    fn a_keyword_that_was_there_before_is_never_taken_out() {
        let (_, text) = LAYOUTS[0];
        let theirs = names(text.as_bytes());
        let same = keywords(&[&theirs[0]], &[]);
        assert_eq!(written(text.as_bytes(), &same), text.as_bytes());
        let mixed = written(text.as_bytes(), &keywords(&[&theirs[0], "dog"], &[]));
        assert_eq!(written(&mixed, &Keywords::default()), text.as_bytes());
    }

    #[test]
    fn a_keyword_that_somebody_took_out_stays_out_until_it_is_no_longer_wanted() {
        let both = keywords(&["cat", "dog"], &[]);
        let made = String::from_utf8(write(None, &both).unwrap().unwrap()).unwrap();
        let item = "<rdf:li>dog</rdf:li>";
        let taken_out = made.replacen(item, "", 1);
        let again = written(
            taken_out.as_bytes(),
            &keywords(&["cat", "dog", "tree"], &[]),
        );
        assert_eq!(subjects(&again), ["cat", "tree"]);
        let without = written(&again, &keywords(&["cat", "tree"], &[]));
        assert_eq!(subjects(&written(&without, &both)), ["cat", "dog"]);
    }

    #[test]
    fn what_is_no_xmp_is_refused_by_its_reason() {
        let refused = |text: &str| {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            let wanted = keywords(&["dog"], &[]);
            let write_error = write(Some(text.as_bytes()), &wanted).unwrap_err();
            assert_eq!(write_error.to_string(), error);
            error
        };
        let (_, sound) = LAYOUTS[0];
        assert!(refused("").contains("not XMP"));
        assert!(refused("<a/>").contains("not XMP"));
        assert!(refused(&sound[..sound.len() / 2]).contains("not well-formed"));
        assert!(refused(&sound.replace("</rdf:Bag>", "</rdf:Seq>")).contains("not well-formed"));
        assert!(refused(&"<a>".repeat(1000)).contains("too deeply"));
        assert!(refused(&" ".repeat(MAX_BYTES + 1)).contains("more than 16777216 bytes"));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        assert!(refused(bomb).contains("document type"));
    }

    #[test]
    fn what_can_be_read_need_not_be_fit_to_be_written_into() {
        let (_, sound) = LAYOUTS[0];
        let keywords = names(sound.as_bytes());
        let wide: Vec<u8> = sound.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let twice = format!("{sound}{sound}");
        let attributes: Vec<String> = (0..3000).map(|at| format!(" a{at}='x'")).collect();
        let crowded = sound.replacen(
            "<x:xmpmeta",
            &format!("<x:xmpmeta{}", attributes.concat()),
            1,
        );
        let declared = format!(
            "<?xml version='1.0' encoding='latin1'?>{}",
            &sound[sound.find("<x:").unwrap()..]
        );
        for (bytes, reason) in [
            (&wide[..], "UTF-8"),
            (twice.as_bytes(), "not XMP"),
            (crowded.as_bytes(), "too many attributes"),
            (declared.as_bytes(), "UTF-8"),
        ] {
            assert_eq!(names(bytes), keywords, "{reason}");
            let error = write(Some(bytes), &self::keywords(&["dog"], &[]))
                .map(drop)
                .unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn every_list_of_keywords_is_read() {
        let with = |property: &str, items: &[&str]| {
            let items = items.join("</rdf:li><rdf:li>");
            let text = format!(
                "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description \
                 xmlns:digiKam='http://www.digikam.org/ns/1.0/' xmlns:MicrosoftPhoto='http://ns.microsoft.com/photo/1.0'>\
                 <{property}><rdf:Seq><rdf:li>{items}</rdf:li></rdf:Seq></{property}></rdf:Description></rdf:RDF>"
            );
            names(text.as_bytes())
        };
        assert_eq!(
            with("digiKam:TagsList", &["Leute/Ada", "See"]),
            ["Ada", "Leute", "See"]
        );
        assert_eq!(
            with("MicrosoftPhoto:LastKeywordXMP", &["a/b", "c"]),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn a_list_of_another_form_is_not_added_to() {
        let sound = LAYOUTS[0].1;
        let start = sound.find("<rdf:Bag>").unwrap();
        let end = sound.find("</rdf:Bag>").unwrap() + "</rdf:Bag>".len();
        let text = sound.replace(&sound[start..end], "dog");
        let error = write(Some(text.as_bytes()), &keywords(&["cat"], &[])).unwrap_err();
        assert!(error.to_string().contains("its subject is not"), "{error}");
    }

    /// What pixdex wrote is looked for once, and not for each of them, which would take minutes.
    #[test]
    fn many_lists_are_written_into_and_left_again() {
        let sound = LAYOUTS[0].1;
        let subject = sound.find("<dc:subject>").unwrap();
        let end = sound.find("</dc:subject>").unwrap() + "</dc:subject>".len();
        let many = sound[subject..end].repeat(5_000);
        let many = format!("{}{many}{}", &sound[..subject], &sound[end..]);
        let items: Vec<String> = (0..16_000).map(|n| n.to_string()).collect();
        let items: Vec<&str> = items.iter().map(String::as_str).collect();
        let with = written(many.as_bytes(), &keywords(&items, &[]));
        assert_eq!(written(&with, &Keywords::default()), many.as_bytes());
    }

    #[test]
    fn there_is_an_end_to_keywords() {
        let long = "x".repeat(MAX_KEYWORD_BYTES + 1);
        let many: Vec<String> = (0..2 * MAX_KEYWORDS).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).chain([&*long]).collect();
        let made = write(None, &keywords(&many, &[])).unwrap().unwrap();
        let theirs = String::from_utf8(made)
            .unwrap()
            .replace("urn:pixdex", "urn:other");
        let read = names(theirs.as_bytes());
        assert!(read.len() == MAX_KEYWORDS && !read.contains(&long));
    }

    /// Read, and yet no list to write into: nobody declared what `lr` is.
    #[test]
    fn a_keyword_beside_ours_is_theirs() {
        let packet = "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''>\
             <lr:hierarchicalSubject><rdf:Seq><rdf:li>animal|dog</rdf:li></rdf:Seq></lr:hierarchicalSubject>\
             </rdf:Description></rdf:RDF>";
        let with = written(packet.as_bytes(), &keywords(&["dog"], &["animal|dog"]));
        let theirs = read(&with).unwrap();
        assert_eq!(theirs, read(packet.as_bytes()).unwrap());
        assert!(theirs.contains("animal"));
        // Nor can ours be taken out where somebody has taken the declaration away: it is theirs from then on.
        let made = written(LAYOUTS[3].1.as_bytes(), &keywords(&["dog"], &[]));
        let made = String::from_utf8(made).unwrap();
        let undeclared = made.replacen("xmlns:dc=", "xmlns:di=", 1);
        let before = names(undeclared.as_bytes());
        assert_eq!(before, ["dog", "mine"]);
        for wanted in [&["cat"][..], &["dog"], &[]] {
            let written = written(undeclared.as_bytes(), &keywords(wanted, &[]));
            assert_eq!(names(&written), before, "{wanted:?}");
        }
    }
}
