//! Where things stand in a packet: the lists of keywords with the place of each item, in bytes.

use std::collections::BTreeSet;
use std::ops::Range;

pub(super) const DC: &str = "http://purl.org/dc/elements/1.1/";
pub(super) const LR: &str = "http://ns.adobe.com/lightroom/1.0/";
pub(super) const OWN: &str = "urn:pixdex:1.0/";

/// A property that holds a list of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct List {
    pub(super) namespace: &'static str,
    pub(super) name: &'static str,
}

impl List {
    pub(super) const SUBJECT: List = List {
        namespace: DC,
        name: "subject",
    };
    pub(super) const HIERARCHICAL: List = List {
        namespace: LR,
        name: "hierarchicalSubject",
    };
    /// Which of the two above pixdex made.
    pub(super) const MADE: List = List {
        namespace: OWN,
        name: "made",
    };
    /// Those that hold keywords.
    pub(super) const KEYWORDS: [List; 2] = [List::SUBJECT, List::HIERARCHICAL];

    /// The list of what pixdex wrote into this one.
    pub(super) fn own(self) -> List {
        List {
            namespace: OWN,
            ..self
        }
    }

    pub(super) fn find(namespace: &str, name: &str) -> Option<List> {
        let [subject, hierarchical] = List::KEYWORDS;
        let all = [
            subject,
            hierarchical,
            subject.own(),
            hierarchical.own(),
            List::MADE,
        ];
        all.into_iter()
            .find(|list| (list.namespace, list.name) == (namespace, name))
    }
}

/// A packet, taken apart as far as keywords go.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    pub(super) text: &'a str,
    pub(super) rdf: Rdf<'a>,
    pub(super) descriptions: Vec<Description>,
    pub(super) properties: Vec<Property<'a>>,
}

/// The element that holds all descriptions.
#[derive(Debug)]
pub(super) struct Rdf<'a> {
    /// With its colon, as all names of RDF have it here.
    pub(super) prefix: &'a str,
    /// Behind the last description, or behind the start tag.
    pub(super) end_of_content: usize,
}

#[derive(Debug)]
pub(super) struct Description {
    pub(super) range: Range<usize>,
    /// Properties in it, of whatever sort.
    pub(super) children: usize,
    /// Whether it has attributes beside namespaces and what it is about.
    pub(super) has_attributes: bool,
    /// What it is about, as it is written; all of a packet say the same.
    pub(super) about: String,
}

/// One of the [`List`]s.
#[derive(Debug)]
pub(super) struct Property<'a> {
    pub(super) list: List,
    pub(super) range: Range<usize>,
    /// The place of its description.
    pub(super) description: usize,
    pub(super) bag: Option<Bag<'a>>,
}

/// What the items of a list stand in.
#[derive(Debug)]
pub(super) struct Bag<'a> {
    pub(super) name: &'a str,
    pub(super) start_tag: Range<usize>,
    /// Empty where the start tag is all there is.
    pub(super) end_tag: Range<usize>,
    pub(super) items: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct Item {
    pub(super) range: Range<usize>,
    /// None where it is more than a text.
    pub(super) text: Option<String>,
}

impl<'a> Packet<'a> {
    pub(super) fn property(&self, list: List) -> Option<&Property<'a>> {
        self.properties
            .iter()
            .find(|property| property.list == list)
    }

    /// The texts of a list.
    pub(super) fn texts(&self, list: List) -> BTreeSet<String> {
        let properties = self.properties.iter();
        let bags = properties
            .filter(|property| property.list == list)
            .filter_map(|property| property.bag.as_ref());
        bags.flat_map(|bag| &bag.items)
            .filter_map(|item| item.text.clone())
            .collect()
    }

    /// Those of them that pixdex did not write.
    pub(super) fn others(&self, list: List) -> BTreeSet<String> {
        &self.texts(list) - &self.texts(list.own())
    }
}
