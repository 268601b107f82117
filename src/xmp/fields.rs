//! What a packet says about its picture, read from whatever form programs gave it.
//!
//! Unlike what is edited, a packet need not be whole or in UTF-8 to be read: all that stands before the damage counts.

use quick_xml::NsReader;
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

use super::packet::{DC, LR, OWN};
use super::parse::{MAX_ATTRIBUTES, MAX_DEPTH, RDF, syntax};
use super::{MAX_BYTES, MAX_KEYWORD_BYTES, XmpError};
use crate::charset;

/// A longer text is cut off: enough for a keyword that is too long to show.
const MAX_TEXT_BYTES: usize = MAX_KEYWORD_BYTES + 4;

/// More values are not read.
const MAX_VALUES: usize = 1 << 12;

/// A property by the prefix that is usual for its namespace, and its name in there.
pub(crate) type Name = (&'static str, &'static str);

/// A namespace with the properties of it that are read.
struct Vocabulary {
    prefix: &'static str,
    namespace: &'static str,
    names: &'static [&'static str],
}

const fn vocabulary(
    prefix: &'static str,
    namespace: &'static str,
    names: &'static [&'static str],
) -> Vocabulary {
    Vocabulary {
        prefix,
        namespace,
        names,
    }
}

const VOCABULARIES: [Vocabulary; 12] = [
    vocabulary("dc", DC, &["subject", "title"]),
    vocabulary("lr", LR, &["hierarchicalSubject"]),
    vocabulary("pixdex", OWN, &["subject", "hierarchicalSubject"]),
    vocabulary("digiKam", "http://www.digikam.org/ns/1.0/", &["TagsList"]),
    vocabulary(
        "MicrosoftPhoto",
        "http://ns.microsoft.com/photo/1.0/",
        &["LastKeywordXMP", "Rating"],
    ),
    vocabulary(
        "tiff",
        "http://ns.adobe.com/tiff/1.0/",
        &["Orientation", "Make", "Model"],
    ),
    vocabulary(
        "exif",
        "http://ns.adobe.com/exif/1.0/",
        &[
            "DateTimeOriginal",
            "DateTimeDigitized",
            "GPSLatitude",
            "GPSLongitude",
        ],
    ),
    vocabulary(
        "exifEX",
        "http://cipa.jp/exif/1.0/",
        &["LensMake", "LensModel"],
    ),
    vocabulary("aux", "http://ns.adobe.com/exif/1.0/aux/", &["Lens"]),
    vocabulary(
        "photoshop",
        "http://ns.adobe.com/photoshop/1.0/",
        &["DateCreated"],
    ),
    vocabulary(
        "xmp",
        "http://ns.adobe.com/xap/1.0/",
        &["CreateDate", "Rating"],
    ),
    vocabulary(
        "xmpNote",
        "http://ns.adobe.com/xmp/note/",
        &["HasExtendedXMP"],
    ),
];

/// The properties of a packet that are known here.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: Vec<Value>,
    /// What ended the reading before the packet's end.
    pub(crate) error: Option<XmpError>,
}

#[derive(Debug)]
struct Value {
    name: Name,
    text: String,
    /// Whether it is the one of several languages that is for everybody.
    is_default: bool,
    /// Whether it is an item of a list that could be edited.
    is_listed: bool,
}

impl Fields {
    /// All up to the first damage.
    pub(crate) fn read(bytes: &[u8]) -> Fields {
        if bytes.len() > MAX_BYTES {
            return Fields {
                values: Vec::new(),
                error: Some(XmpError::TooLong),
            };
        }
        let text = charset::of_xml(bytes);
        let mut parser = Parser::default();
        let error = parser.run(trimmed(&text)).err();
        Fields {
            values: parser.values,
            error,
        }
    }

    /// Every text of a property.
    pub(crate) fn texts(&self, name: Name) -> impl Iterator<Item = &str> {
        self.items(name).map(|(text, _)| text)
    }

    /// Every text of a property, and whether it is an item of a list that could be edited.
    pub(super) fn items(&self, name: Name) -> impl Iterator<Item = (&str, bool)> {
        let values = self.values.iter().filter(move |value| value.name == name);
        values.map(|value| (value.text.as_str(), value.is_listed))
    }

    /// The text of a property: of several, the one for all languages, else the first.
    pub(crate) fn text(&self, name: Name) -> Option<&str> {
        let values = || self.values.iter().filter(|value| value.name == name);
        let value = values().find(|value| value.is_default).or(values().next());
        value.map(|value| value.text.as_str())
    }

    /// Every property that is known, with its text.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Name, &str)> {
        self.values
            .iter()
            .map(|value| (value.name, value.text.as_str()))
    }
}

/// From the first tag to the last, without what fills up the space around them.
fn trimmed(text: &str) -> &str {
    let start = text.find('<').unwrap_or(text.len());
    let end = text.rfind('>').map_or(text.len(), |end| end + 1);
    text.get(start..end).unwrap_or_default()
}

/// What an element is, by its name and by what it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rdf,
    /// What holds properties: an `rdf:Description`, or an element by the name of a type.
    Node {
        is_description: bool,
    },
    Property(Known),
    /// A list of several values.
    List(Known),
    Item(Known),
    /// What holds a value and notes about it.
    Noted(Known),
    /// The value of these.
    Noteless(Known),
    Other,
}

/// A property that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    name: Name,
    /// Whether it is written by the book: what is edited is found by this alone.
    is_exact: bool,
}

struct Open {
    kind: Kind,
    is_default: bool,
    /// Where its own text begins in the parser's.
    start: usize,
    has_children: bool,
    /// Whether there are entities in its text that XMP has not.
    is_odd: bool,
}

#[derive(Default)]
struct Parser {
    open: Vec<Open>,
    text: String,
    has_rdf: bool,
    values: Vec<Value>,
}

impl Parser {
    fn run(&mut self, text: &str) -> Result<(), XmpError> {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.allow_dangling_amp = true;
        loop {
            match reader.read_event().map_err(syntax)? {
                Event::Start(tag) => self.enter(&reader, &tag)?,
                Event::Empty(tag) => {
                    self.enter(&reader, &tag)?;
                    self.leave();
                }
                Event::End(_) => self.leave(),
                Event::Text(text) => self.add(&text.xml10_content()),
                Event::CData(text) => self.add(&text.into_inner()),
                Event::GeneralRef(name) => self.add_reference(&name),
                Event::DocType(_) => return Err(XmpError::DocumentType),
                Event::Eof => return self.finish(),
                _ => {}
            }
        }
    }

    fn finish(&self) -> Result<(), XmpError> {
        if !self.open.is_empty() {
            return Err(syntax("an element does not end"));
        }
        if !self.has_rdf {
            return Err(XmpError::NotXmp);
        }
        Ok(())
    }

    fn enter(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Result<(), XmpError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(syntax("it is nested too deeply"));
        }
        let parent = self.open.last_mut();
        let kind = kind(
            parent.as_ref().map_or(Kind::Other, |open| open.kind),
            reader,
            tag,
        );
        if let Some(parent) = parent {
            parent.has_children = true;
        }
        self.has_rdf |= kind == Kind::Rdf;
        let mut open = Open {
            kind,
            is_default: false,
            start: self.text.len(),
            has_children: false,
            is_odd: false,
        };
        if kind.has_attributes() {
            self.add_attributes(reader, tag, &mut open);
        }
        self.open.push(open);
        Ok(())
    }

    fn add_attributes(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, open: &mut Open) {
        let mut attributes = tag.attributes();
        // What stands twice counts twice.
        let attributes = attributes.with_checks(false).take(MAX_ATTRIBUTES);
        for attribute in attributes.filter_map(Result::ok) {
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
            let text = unescape(&attribute.value).unwrap_or_else(|_| (&*attribute.value).into());
            let is_value = is_rdf(&namespace) && local.as_ref() == "value";
            match open.kind {
                Kind::Item(_) if attribute.key.as_ref() == "xml:lang" => {
                    open.is_default = text.eq_ignore_ascii_case("x-default");
                }
                Kind::Property(known) | Kind::Item(known) | Kind::Noted(known) if is_value => {
                    open.has_children = true;
                    self.push(known.name, &text, open.is_default, false);
                }
                Kind::Node { .. } => {
                    if let Some(known) = known(&namespace, local.as_ref()) {
                        self.push(known.name, &text, false, false);
                    }
                }
                _ => {}
            }
        }
    }

    fn leave(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let text = self.text.split_off(open.start);
        if let Kind::Property(known) | Kind::Item(known) | Kind::Noteless(known) = open.kind
            && !open.has_children
        {
            // What has notes is as much for all languages as what it stands in.
            let is_default = open.is_default || self.open.iter().any(|above| above.is_default);
            let is_item = matches!(open.kind, Kind::Item(_));
            let is_listed = is_item && known.is_exact && !open.is_odd;
            self.push(known.name, &text, is_default, is_listed);
        }
    }

    fn push(&mut self, name: Name, text: &str, is_default: bool, is_listed: bool) {
        if !text.trim().is_empty() && self.values.len() < MAX_VALUES {
            self.values.push(Value {
                name,
                text: cut(text, MAX_TEXT_BYTES).to_owned(),
                is_default,
                is_listed,
            });
        }
    }

    fn add(&mut self, text: &str) {
        if let Some(open) = self.open.last()
            && open.kind.holds_text()
        {
            let room = (open.start + MAX_TEXT_BYTES).saturating_sub(self.text.len());
            self.text += cut(text, room);
        }
    }

    /// Of entities XML has five, and XMP no others: what is not one of them stays as it stands.
    fn add_reference(&mut self, name: &BytesRef<'_>) {
        match (name.resolve_char_ref(), resolve_predefined_entity(name)) {
            (Ok(Some(character)), _) => self.add(character.encode_utf8(&mut [0; 4])),
            (_, Some(text)) => self.add(text),
            _ => {
                self.add("&");
                self.add(name);
                self.add(";");
                if let Some(open) = self.open.last_mut() {
                    open.is_odd = true;
                }
            }
        }
    }
}

/// No more of a text than so many bytes.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

impl Kind {
    fn has_attributes(self) -> bool {
        matches!(
            self,
            Kind::Node { .. } | Kind::Property(_) | Kind::Item(_) | Kind::Noted(_)
        )
    }

    fn holds_text(self) -> bool {
        matches!(self, Kind::Property(_) | Kind::Item(_) | Kind::Noteless(_))
    }
}

fn kind(parent: Kind, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Kind {
    let (namespace, local) = reader.resolver().resolve_element(tag.name());
    let is_rdf = is_rdf(&namespace);
    let is_exact = namespace == ResolveResult::Bound(Namespace(RDF));
    let also_exact = |known: Known| Known {
        is_exact: known.is_exact && is_exact,
        ..known
    };
    match (parent, local.as_ref()) {
        (Kind::Other, "RDF") if is_rdf => Kind::Rdf,
        (Kind::Rdf, local) => Kind::Node {
            is_description: is_exact && local == "Description",
        },
        (Kind::Node { is_description }, local) => {
            let known = known(&namespace, local).map(|known| Known {
                is_exact: known.is_exact && is_description,
                ..known
            });
            known.map_or(Kind::Other, Kind::Property)
        }
        (Kind::Property(known), "Bag" | "Seq" | "Alt") if is_rdf => Kind::List(also_exact(known)),
        (Kind::List(known), "li") if is_rdf => Kind::Item(also_exact(known)),
        (Kind::Property(known) | Kind::Item(known), "Description") if is_rdf => Kind::Noted(known),
        // The parent may hold notes without an element for that.
        (Kind::Noted(known) | Kind::Property(known) | Kind::Item(known), "value") if is_rdf => {
            Kind::Noteless(known)
        }
        _ => Kind::Other,
    }
}

/// By the namespace, or where the prefix of one is not declared, by that.
fn is_rdf(namespace: &ResolveResult<'_>) -> bool {
    match namespace {
        ResolveResult::Bound(Namespace(namespace)) => *namespace == RDF,
        ResolveResult::Unknown(prefix) => prefix == "rdf",
        ResolveResult::Unbound => false,
    }
}

/// The property of this name. Some programs leave out the slash at the end of a namespace.
fn known(namespace: &ResolveResult<'_>, local: &str) -> Option<Known> {
    let is_this = |vocabulary: &&Vocabulary| match namespace {
        ResolveResult::Bound(Namespace(namespace)) => {
            namespace.trim_end_matches('/') == vocabulary.namespace.trim_end_matches('/')
        }
        ResolveResult::Unknown(prefix) => prefix == vocabulary.prefix,
        ResolveResult::Unbound => false,
    };
    let vocabulary = VOCABULARIES.iter().find(is_this)?;
    let name = vocabulary.names.iter().find(|name| **name == local)?;
    Some(Known {
        name: (vocabulary.prefix, name),
        is_exact: *namespace == ResolveResult::Bound(Namespace(vocabulary.namespace)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Name = ("dc", "subject");
    const TITLE: Name = ("dc", "title");
    const RATING: Name = ("xmp", "Rating");

    /// A packet with these attributes and elements in its description.
    fn packet(attributes: &str, elements: &str) -> String {
        format!(
            "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"{RDF}\"><rdf:Description rdf:about=\"\" \
             xmlns:dc=\"{DC}\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" {attributes}>{elements}</rdf:Description>\
             </rdf:RDF></x:xmpmeta>"
        )
    }

    fn fields(attributes: &str, elements: &str) -> Fields {
        let fields = Fields::read(packet(attributes, elements).as_bytes());
        assert!(fields.error.is_none(), "{:?}", fields.error);
        fields
    }

    fn subjects(elements: &str) -> Vec<String> {
        let fields = fields("", elements);
        fields.texts(SUBJECT).map(str::to_owned).collect()
    }

    #[test]
    fn a_value_is_read_in_every_form() {
        for (attributes, elements) in [
            ("xmp:Rating='4'", ""),
            ("", "<xmp:Rating>4</xmp:Rating>"),
            ("", "<xmp:Rating rdf:value='4' xmp:note='x'/>"),
            (
                "",
                "<xmp:Rating><rdf:Description><rdf:value>4</rdf:value></rdf:Description></xmp:Rating>",
            ),
            (
                "",
                "<xmp:Rating><rdf:Description rdf:value='4'/></xmp:Rating>",
            ),
            (
                "",
                "<xmp:Rating rdf:parseType='Resource'><rdf:value>4</rdf:value><xmp:note>x</xmp:note></xmp:Rating>",
            ),
            ("", "<xmp:Rating>&#52;</xmp:Rating>"),
            ("", "<xmp:Rating><![CDATA[4]]></xmp:Rating>"),
            (
                "xmlns:q='http://ns.adobe.com/xap/1.0'",
                "<q:Rating>4</q:Rating>",
            ),
        ] {
            let found = fields(attributes, elements);
            assert_eq!(found.text(RATING), Some("4"), "{attributes} {elements}");
        }
    }

    #[test]
    fn lists_are_read_item_by_item() {
        let items = "<rdf:li>a &amp; b</rdf:li><rdf:li/><rdf:li><![CDATA[c & <d>]]> &#101;</rdf:li>\
                     <rdf:li><rdf:Description><rdf:value>f</rdf:value></rdf:Description></rdf:li><rdf:li><x/>g</rdf:li>\
                     <rdf:li>R&B &nbsp;</rdf:li>";
        for list in ["Bag", "Seq", "Alt"] {
            let elements = format!("<dc:subject><rdf:{list}>{items}</rdf:{list}></dc:subject>");
            assert_eq!(
                subjects(&elements),
                ["a & b", "c & <d> e", "f", "R&B &nbsp;"]
            );
        }
        assert_eq!(subjects("<dc:subject>alone</dc:subject>"), ["alone"]);
    }

    #[test]
    fn what_is_said_of_something_else_is_not_said_of_the_picture() {
        let elements = "<xmp:Thumb><rdf:Description xmp:Rating='1'><xmp:Rating>2</xmp:Rating></rdf:Description></xmp:Thumb>";
        assert_eq!(fields("", elements).text(RATING), None);
    }

    #[test]
    fn of_several_languages_the_one_for_all_is_taken() {
        let title = |items: &str| {
            let elements = format!("<dc:title><rdf:Alt>{items}</rdf:Alt></dc:title>");
            fields("", &elements).text(TITLE).map(str::to_owned)
        };
        let german = "<rdf:li xml:lang='de'>See</rdf:li>";
        let all = "<rdf:li xml:lang='x-default'>Lake</rdf:li>";
        assert_eq!(title(&format!("{german}{all}")).as_deref(), Some("Lake"));
        assert_eq!(title(german).as_deref(), Some("See"));
    }

    #[test]
    fn what_stands_before_the_damage_counts() {
        let whole = packet(
            "xmp:Rating='4'",
            "<dc:subject>dog</dc:subject><dc:title>x</dc:title>",
        );
        for cut in [whole.find("<dc:title>").unwrap() + 5, whole.len() - 5] {
            let found = Fields::read(&whole.as_bytes()[..cut]);
            assert!(found.error.is_some());
            assert_eq!(found.text(RATING), Some("4"));
            assert_eq!(found.text(SUBJECT), Some("dog"));
        }
        let undeclared = "\0\0<rdf:RDF><rdf:Description xmp:Rating='3'/></rdf:RDF>\0 ";
        assert_eq!(Fields::read(undeclared.as_bytes()).text(RATING), Some("3"));
    }

    #[test]
    fn every_encoding_is_read() {
        let text = packet("", "<dc:subject>Straße</dc:subject>");
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let western: Vec<u8> = text.chars().map(|c| c as u8).collect();
        for bytes in [text.as_bytes(), &wide, &western] {
            assert_eq!(Fields::read(bytes).text(SUBJECT), Some("Straße"));
        }
    }

    #[test]
    fn there_is_an_end_to_texts_and_depths() {
        let long = "ü".repeat(MAX_TEXT_BYTES);
        let elements =
            format!("<dc:title>{long}&amp;{long}</dc:title><dc:subject>dog</dc:subject>");
        let found = fields("", &elements);
        assert_eq!(found.text(TITLE).map(str::len), Some(MAX_TEXT_BYTES));
        let found = fields(&format!("dc:title='{long}'"), "");
        assert_eq!(found.text(TITLE).map(str::len), Some(MAX_TEXT_BYTES));
        let found = fields("", &elements);
        assert_eq!(found.text(SUBJECT), Some("dog"));
        let deep = Fields::read("<a>".repeat(1000).as_bytes());
        assert!(deep.error.unwrap().to_string().contains("too deeply"));
        let long = Fields::read(&vec![b' '; MAX_BYTES + 1]);
        assert!(matches!(long.error, Some(XmpError::TooLong)));
    }
}
