//! Takes out of a packet what pixdex wrote, and puts in what it is to write. All other bytes stay as they are.
//!
//! What is put into somebody's list goes behind its last item, with the same white space before it; the rest goes into a
//! description of its own behind the last one. So taking out is exact: after it, the packet is what it was before.

use std::collections::BTreeSet;
use std::ops::Range;

use quick_xml::escape::partial_escape;

use super::packet::{Bag, DC, LR, List, OWN, Packet, Property};
use super::{Keywords, XmpError};
use crate::spelling::composed;

/// A packet with nothing in it.
pub(super) const EMPTY: &str = "<?xpacket begin=\"\u{FEFF}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"pixdex\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end=\"w\"?>
";

/// What stands before a closing `>` where pixdex gave a bag of one tag a second one.
const OPENED: &str = " >";

/// The packet with `wanted` as the keywords that pixdex wrote.
pub(super) fn edit(text: &str, wanted: &Keywords) -> Result<String, XmpError> {
    let packet = Packet::parse(text)?;
    let own = List::KEYWORDS.map(|list| packet.texts(list.own()));
    let wanted = List::KEYWORDS.map(|list| {
        let others = packet.others(list);
        let others: BTreeSet<_> = others.iter().map(|text| composed(text)).collect();
        let wanted = wanted.of(list).iter();
        let missing = wanted.filter(|text| !others.contains(&composed(text)));
        missing.cloned().collect::<BTreeSet<String>>()
    });
    if own == wanted {
        return Ok(text.to_owned());
    }
    let present = List::KEYWORDS.map(|list| packet.texts(list));
    let stripped = strip(&packet);
    let additions = [0, 1].map(|list| Addition {
        list: List::KEYWORDS[list],
        // What pixdex wrote and is gone was taken out by somebody, who need not do it again.
        taken_out: &(&own[list] & &wanted[list]) - &present[list],
        wanted: wanted[list].clone(),
    });
    insert(&Packet::parse(&stripped)?, &additions)
}

/// The packet without anything that pixdex wrote.
fn strip(packet: &Packet<'_>) -> String {
    let made = packet.texts(List::MADE);
    let [subjects, hierarchical] = List::KEYWORDS.map(|list| packet.texts(list.own()));
    let mut gone = Vec::new();
    let mut emptied = vec![0; packet.descriptions.len()];
    for property in &packet.properties {
        let is_own = property.list.namespace == OWN;
        let is_subject = property.list == List::SUBJECT;
        let own = if is_subject { &subjects } else { &hierarchical };
        let is_made = made.contains(property.list.name) && holds_only(property, own);
        if is_own || is_made {
            emptied[property.description] += 1;
            gone.push(with_space_before(packet.text, &property.range));
        } else if let Some(bag) = &property.bag {
            gone.extend(strip_bag(packet.text, bag, own));
        }
    }
    for (description, emptied) in packet.descriptions.iter().zip(emptied) {
        if emptied > 0 && emptied == description.children && !description.has_attributes {
            gone.push(with_space_before(packet.text, &description.range));
        }
    }
    without(packet.text, gone)
}

fn holds_only(property: &Property<'_>, own: &BTreeSet<String>) -> bool {
    let is_own = |text: &Option<String>| text.as_ref().is_some_and(|text| own.contains(text));
    let mut items = property.bag.iter().flat_map(|bag| &bag.items);
    items.all(|item| is_own(&item.text))
}

/// What is to be taken out of somebody's list.
fn strip_bag(text: &str, bag: &Bag<'_>, own: &BTreeSet<String>) -> Vec<Range<usize>> {
    let is_own = |text: &Option<String>| text.as_ref().is_some_and(|text| own.contains(text));
    let items = bag.items.iter().filter(|item| is_own(&item.text));
    let gone: Vec<_> = items
        .map(|item| with_space_before(text, &item.range))
        .collect();
    let was_one_tag = text[bag.end_tag.clone()].ends_with(OPENED);
    if was_one_tag && !gone.is_empty() && gone.len() == bag.items.len() {
        // Its end tag goes too, but for the slash that belongs into the start tag: see `into_bag`.
        let start = bag.start_tag.end - 1;
        return vec![
            start..bag.end_tag.start + 1,
            slash_end(bag)..bag.end_tag.end - 1,
        ];
    }
    gone
}

/// Behind the slash of the end tag.
fn slash_end(bag: &Bag<'_>) -> usize {
    bag.end_tag.start + 2
}

/// The range with the white space before it.
fn with_space_before(text: &str, range: &Range<usize>) -> Range<usize> {
    range.start - space_before(text, range.start).len()..range.end
}

fn space_before(text: &str, at: usize) -> &str {
    let before = &text[..at];
    &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..]
}

/// The text without these ranges, which may lie in one another.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| range.start);
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        if range.start >= at {
            kept.push_str(&text[at..range.start]);
        }
        at = at.max(range.end);
    }
    kept + &text[at..]
}

/// What is to be put into one list.
struct Addition {
    list: List,
    wanted: BTreeSet<String>,
    /// Those of them that somebody took out again.
    taken_out: BTreeSet<String>,
}

impl Addition {
    fn items(&self) -> BTreeSet<String> {
        &self.wanted - &self.taken_out
    }
}

/// Puts what is wanted into a packet without anything of pixdex's.
fn insert(packet: &Packet<'_>, additions: &[Addition]) -> Result<String, XmpError> {
    if additions.iter().all(|addition| addition.wanted.is_empty()) {
        return Ok(packet.text.to_owned());
    }
    let mut changes = Vec::new();
    let mut description = Vec::new();
    let mut made = BTreeSet::new();
    for addition in additions {
        let list = addition.list;
        let items = addition.items();
        match packet.property(list) {
            _ if items.is_empty() => {}
            Some(property) => {
                let bag = property.bag.as_ref().ok_or(XmpError::Form(list.name))?;
                changes.push(into_bag(packet, bag, &items));
            }
            None => {
                made.insert(list.name.to_owned());
                description.push((list, items));
            }
        }
        description.push((list.own(), addition.wanted.clone()));
    }
    description.push((List::MADE, made));
    changes.push(as_description(packet, &description));
    Ok(changed(packet.text, changes))
}

/// A range and what stands there instead.
type Change = (Range<usize>, String);

fn changed(text: &str, mut changes: Vec<Change>) -> String {
    let mut text = text.to_owned();
    changes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    for (range, new) in changes {
        text.replace_range(range, &new);
    }
    text
}

fn into_bag(packet: &Packet<'_>, bag: &Bag<'_>, items: &BTreeSet<String>) -> Change {
    let prefix = bag.name.split_once(':').map_or("", |(prefix, _)| prefix);
    let colon = if prefix.is_empty() { "" } else { ":" };
    let items = |space: &str| -> String {
        let item = |text: &String| item(&format!("{space}<{prefix}{colon}li>"), text);
        items.iter().map(item).collect()
    };
    if let Some(last) = bag.items.last() {
        let space = space_before(packet.text, last.range.start);
        return (last.range.end..last.range.end, items(space));
    }
    let end = bag.start_tag.end;
    if bag.end_tag.is_empty() {
        let opened = format!(">{}</{}{OPENED}", items(""), bag.name);
        return (end - 2..end, opened);
    }
    (end..end, items(""))
}

/// One item; `start` is its start tag with what comes before it.
fn item(start: &str, text: &str) -> String {
    let name = start.trim_start().trim_start_matches('<');
    format!("{start}{}</{name}", partial_escape(text))
}

/// The description that holds all that is not in somebody's list.
fn as_description(packet: &Packet<'_>, lists: &[(List, BTreeSet<String>)]) -> Change {
    let rdf = packet.rdf.prefix;
    let last = packet.descriptions.last();
    let space = last.map_or("\n  ", |last| space_before(packet.text, last.range.start));
    let about = last.map_or("", |last| &last.about);
    let quote = if about.contains('"') { '\'' } else { '"' };
    let filled = lists.iter().filter(|(_, items)| !items.is_empty());
    let lists: String = filled
        .map(|(list, items)| as_list(rdf, *list, items, space))
        .collect();
    let text = format!(
        "{space}<{rdf}Description {rdf}about={quote}{about}{quote} xmlns:dc=\"{DC}\" xmlns:lr=\"{LR}\" xmlns:pixdex=\"{OWN}\">\
         {lists}{space}</{rdf}Description>"
    );
    let at = packet.rdf.end_of_content;
    (at..at, text)
}

fn as_list(rdf: &str, list: List, items: &BTreeSet<String>, space: &str) -> String {
    let prefix = match list.namespace {
        DC => "dc",
        LR => "lr",
        _ => "pixdex",
    };
    let name = format!("{prefix}:{}", list.name);
    let item = |text: &String| item(&format!("{space}   <{rdf}li>"), text);
    let items: String = items.iter().map(item).collect();
    format!("{space} <{name}>{space}  <{rdf}Bag>{items}{space}  </{rdf}Bag>{space} </{name}>")
}
