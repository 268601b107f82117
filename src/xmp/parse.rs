//! Takes a packet apart, element by element, and refuses what is no XMP.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::NsReader;
use quick_xml::escape::unescape;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, QName, ResolveResult};

use super::XmpError;
use super::packet::{Bag, Description, Item, List, Packet, Property, Rdf};

pub(super) const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// Deeper than any packet is nested.
pub(super) const MAX_DEPTH: usize = 256;

/// More than any element has. Each is compared with all before it.
pub(super) const MAX_ATTRIBUTES: usize = 2048;

/// What an element is, by its name and by what it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rdf,
    Description,
    Property(List),
    Bag,
    Item,
    Other,
}

struct Open {
    kind: Kind,
    start: usize,
    end_of_tag: usize,
}

impl<'a> Packet<'a> {
    /// Takes a packet apart.
    pub(super) fn parse(text: &'a str) -> Result<Packet<'a>, XmpError> {
        Parser::new(text).run()
    }
}

struct Parser<'a> {
    text: &'a str,
    open: Vec<Open>,
    rdf: Option<Rdf<'a>>,
    is_rdf_closed: bool,
    descriptions: Vec<Description>,
    properties: Vec<Property<'a>>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Parser<'a> {
        Parser {
            text,
            open: Vec::new(),
            rdf: None,
            is_rdf_closed: false,
            descriptions: Vec::new(),
            properties: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Packet<'a>, XmpError> {
        // The mark of the byte order, which the reader would not count.
        let skipped = self.text.len() - self.text.trim_start_matches('\u{FEFF}').len();
        let mut reader = NsReader::from_str(&self.text[skipped..]);
        let config = reader.config_mut();
        config.check_comments = true;
        config.allow_dangling_amp = false;
        let mut at = skipped;
        loop {
            let event = reader.read_event().map_err(syntax)?;
            let end = skipped + reader.buffer_position() as usize;
            match event {
                Event::Start(tag) => self.enter(&reader, &tag, at..end)?,
                Event::Empty(tag) => {
                    self.enter(&reader, &tag, at..end)?;
                    self.leave(end..end);
                }
                Event::End(_) => self.leave(at..end),
                Event::DocType(_) => return Err(XmpError::DocumentType),
                Event::Decl(declaration) => check_encoding(declaration.encoding())?,
                Event::Eof => return self.finish(),
                _ => {}
            }
            at = end;
        }
    }

    fn enter(
        &mut self,
        reader: &NsReader<&[u8]>,
        tag: &BytesStart<'_>,
        range: Range<usize>,
    ) -> Result<(), XmpError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(syntax("it is nested too deeply"));
        }
        let kind = self.kind(reader, tag.name());
        let name_end = range.start + 1 + tag.name().as_ref().len();
        let name = &self.text[range.start + 1..name_end];
        match kind {
            Kind::Rdf if self.rdf.is_some() => return Err(XmpError::NotXmp),
            Kind::Rdf => {
                let prefix = &name[..name.len() - "RDF".len()];
                self.rdf = Some(Rdf {
                    prefix,
                    end_of_content: range.end,
                });
            }
            Kind::Description => self.enter_description(reader, tag, &range)?,
            Kind::Property(list) => self.properties.push(Property {
                list,
                range: range.clone(),
                description: self.descriptions.len() - 1,
                bag: None,
            }),
            Kind::Bag => self.enter_bag(name, &range)?,
            _ => check_attributes(tag)?,
        }
        if self.parent() == Kind::Description
            && let Some(description) = self.descriptions.last_mut()
        {
            description.children += 1;
        }
        self.open.push(Open {
            kind,
            start: range.start,
            end_of_tag: range.end,
        });
        Ok(())
    }

    fn parent(&self) -> Kind {
        self.open.last().map_or(Kind::Other, |open| open.kind)
    }

    fn kind(&self, reader: &NsReader<&[u8]>, name: QName<'_>) -> Kind {
        let (namespace, local) = reader.resolver().resolve_element(name);
        let ResolveResult::Bound(Namespace(namespace)) = namespace else {
            return Kind::Other;
        };
        match (self.parent(), namespace, local.as_ref()) {
            (Kind::Other, RDF, "RDF") => Kind::Rdf,
            (Kind::Rdf, RDF, "Description") => Kind::Description,
            (Kind::Property(_), RDF, "Bag" | "Seq" | "Alt") => Kind::Bag,
            (Kind::Bag, RDF, "li") => Kind::Item,
            (Kind::Description, namespace, local) => {
                List::find(namespace, local).map_or(Kind::Other, Kind::Property)
            }
            _ => Kind::Other,
        }
    }

    fn enter_description(
        &mut self,
        reader: &NsReader<&[u8]>,
        tag: &BytesStart<'_>,
        range: &Range<usize>,
    ) -> Result<(), XmpError> {
        let mut description = Description {
            range: range.clone(),
            children: 0,
            has_attributes: false,
            about: String::new(),
        };
        for attribute in attributes(tag) {
            let attribute = attribute?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
            let namespace = match namespace {
                ResolveResult::Bound(Namespace(namespace)) => namespace,
                _ => "",
            };
            // A list cannot be an attribute, and a second one of the same name makes a packet unreadable.
            if let Some(list) = List::find(namespace, local.as_ref()) {
                return Err(XmpError::Form(list.name));
            }
            if ["", RDF].contains(&namespace) && local.as_ref() == "about" {
                description.about = attribute.value.into_owned();
            } else {
                description.has_attributes = true;
            }
        }
        self.descriptions.push(description);
        Ok(())
    }

    fn enter_bag(&mut self, name: &'a str, range: &Range<usize>) -> Result<(), XmpError> {
        if let Some(property) = self.properties.last_mut() {
            let bag = Bag {
                name,
                start_tag: range.clone(),
                end_tag: range.end..range.end,
                items: Vec::new(),
            };
            if property.bag.replace(bag).is_some() {
                return Err(XmpError::Form(property.list.name));
            }
        }
        Ok(())
    }

    /// An element ends with this tag.
    fn leave(&mut self, tag: Range<usize>) {
        let Some(Open {
            kind,
            start,
            end_of_tag,
        }) = self.open.pop()
        else {
            return;
        };
        if self.parent() == Kind::Rdf
            && let Some(rdf) = &mut self.rdf
        {
            rdf.end_of_content = tag.end;
        }
        let property = self.properties.last_mut();
        match kind {
            Kind::Rdf => self.is_rdf_closed = tag.start < tag.end,
            Kind::Description => {
                if let Some(description) = self.descriptions.last_mut() {
                    description.range.end = tag.end;
                }
            }
            Kind::Property(_) => {
                if let Some(property) = property {
                    property.range.end = tag.end;
                }
            }
            Kind::Bag => {
                if let Some(bag) = property.and_then(|property| property.bag.as_mut()) {
                    bag.end_tag = tag;
                }
            }
            Kind::Item => {
                let item = Item {
                    range: start..tag.end,
                    text: plain_text(&self.text[end_of_tag..tag.start]),
                };
                if let Some(bag) = property.and_then(|property| property.bag.as_mut()) {
                    bag.items.push(item);
                }
            }
            Kind::Other => {}
        }
    }

    fn finish(self) -> Result<Packet<'a>, XmpError> {
        if !self.open.is_empty() {
            return Err(syntax("an element does not end"));
        }
        let rdf = self
            .rdf
            .filter(|_| self.is_rdf_closed)
            .ok_or(XmpError::NotXmp)?;
        Ok(Packet {
            text: self.text,
            rdf,
            descriptions: self.descriptions,
            properties: self.properties,
        })
    }
}

pub(super) fn syntax(error: impl std::fmt::Display) -> XmpError {
    XmpError::Syntax(error.to_string())
}

fn check_encoding<E: std::fmt::Display>(
    declared: Option<Result<Cow<'_, str>, E>>,
) -> Result<(), XmpError> {
    match declared.transpose().map_err(syntax)? {
        Some(name) if !["utf-8", "us-ascii"].contains(&&*name.to_lowercase()) => {
            Err(XmpError::NotUtf8)
        }
        _ => Ok(()),
    }
}

/// Reading attributes is what checks them.
fn check_attributes(tag: &BytesStart<'_>) -> Result<(), XmpError> {
    attributes(tag).try_for_each(|attribute| attribute.map(drop))
}

fn attributes<'a>(
    tag: &'a BytesStart<'_>,
) -> impl Iterator<Item = Result<Attribute<'a>, XmpError>> {
    let attributes = tag.attributes().enumerate();
    attributes.map(|(place, attribute)| match place {
        MAX_ATTRIBUTES.. => Err(syntax("an element has too many attributes")),
        _ => attribute.map_err(syntax),
    })
}

/// The text of an element that holds nothing else, some of it perhaps as it stands (CDATA); references to entities that XML has
/// not make it none.
fn plain_text(content: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = content;
    while let Some((before, after)) = rest.split_once(CDATA) {
        let (verbatim, after) = after.split_once("]]>")?;
        text += &escaped_text(before)?;
        text += verbatim;
        rest = after;
    }
    Some(text + &escaped_text(rest)?)
}

const CDATA: &str = "<![CDATA[";

fn escaped_text(content: &str) -> Option<Cow<'_, str>> {
    let is_text = !content.contains('<');
    is_text.then(|| unescape(content).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::plain_text;

    #[test]
    fn a_text_is_read_however_it_is_written() {
        for (content, text) in [
            ("dog", Some("dog")),
            ("a &amp; b", Some("a & b")),
            ("<![CDATA[a & <b>]]>", Some("a & <b>")),
            (
                "x &lt; <![CDATA[&lt; ]] >]]> y<![CDATA[]]>",
                Some("x < &lt; ]] > y"),
            ),
            ("<b>dog</b>", None),
            ("<![CDATA[dog]]><b/>", None),
            ("&nbsp;", None),
            ("<![CDATA[open", None),
        ] {
            assert_eq!(plain_text(content).as_deref(), text, "{content}");
        }
    }
}
