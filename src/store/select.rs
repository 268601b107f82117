//! From a filter to the images that pass it: reads all tables that say something about images.

use std::path::{Path, PathBuf};

use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use super::date::PartialDate;
use super::filter::{Area, Filter, Span};
use super::ids::ImageId;
use super::keywords::FILE_SET;
use super::{Result, Store, paths};
use crate::formats::Format;

/// A condition in SQL with the values for its placeholders.
type Condition = (String, Vec<Value>);

impl Store {
    /// The images that pass the filter, in the order of their rows. Files need no longer hold them: that is not asked, as it
    /// takes as long as all the rest, and the index holds no other images anyway.
    pub fn passing(&self, filter: &Filter) -> Result<Vec<ImageId>> {
        self.read(|db| select_ids(db, conditions(db, filter)?, "ORDER BY id"))
    }

    /// The images that pass the filter and that a file holds, in the order of their rows.
    pub fn matching(&self, filter: &Filter) -> Result<Vec<ImageId>> {
        self.read(|db| {
            let mut conditions = conditions(db, filter)?;
            conditions.push(is_held());
            select_ids(db, conditions, "ORDER BY id")
        })
    }

    /// Up to `limit` of those images, newest row first, older than `before`.
    pub fn page(
        &self,
        filter: &Filter,
        before: Option<ImageId>,
        limit: usize,
    ) -> Result<Vec<ImageId>> {
        self.read(|db| {
            let mut conditions = conditions(db, filter)?;
            conditions.push(is_held());
            conditions.extend(before.map(|id| ("id < ?".to_owned(), vec![Value::Integer(id.0)])));
            select_ids(db, conditions, &format!("ORDER BY id DESC LIMIT {limit}"))
        })
    }

    /// The images that pass the filter and that several files hold.
    pub fn held_twice(&self, filter: &Filter) -> Result<Vec<ImageId>> {
        let is_copied = "(SELECT count(*) FROM live_files f WHERE f.image_id = i.id) > 1";
        self.read(|db| {
            let mut conditions = conditions(db, filter)?;
            conditions.push((is_copied.to_owned(), Vec::new()));
            select_ids(db, conditions, "ORDER BY id")
        })
    }

    /// The images that pass the filter of which a file has this name, with or without its ending, in either case.
    pub fn named(&self, name: &str, filter: &Filter) -> Result<Vec<ImageId>> {
        self.read(|db| {
            let mut conditions = conditions(db, filter)?;
            conditions.push(has_name(name));
            select_ids(db, conditions, "ORDER BY id LIMIT 10")
        })
    }
}

fn conditions(db: &Transaction<'_>, filter: &Filter) -> Result<Vec<Condition>> {
    let mut all = Vec::new();
    if !filter.paths.is_empty() {
        all.push(place_condition(db, &filter.paths)?);
    }
    all.extend(filter.all_tags.iter().map(|tag| tagged(&[tag.as_str()])));
    all.extend(filter.any_tags.iter().map(|tags| tagged(tags)));
    all.extend(
        filter
            .no_tags
            .iter()
            .map(|tag| not(tagged(&[tag.as_str()]))),
    );
    all.extend(compared("taken_at >=", filter.after.as_ref().map(date)));
    all.extend(compared("taken_at <", filter.before.as_ref().map(date)));
    all.extend(one_of("format", &filter.formats));
    all.extend(within("width", filter.width));
    all.extend(within("height", filter.height));
    all.extend(within("size_bytes", filter.size_bytes));
    let camera = filter
        .camera
        .as_ref()
        .map(|camera| text(camera.to_lowercase()));
    all.extend(camera.map(|camera| ("instr(lower(camera), ?) > 0".to_owned(), vec![camera])));
    all.extend(filter.area.map(inside));
    Ok(all)
}

fn select_ids(
    db: &Transaction<'_>,
    conditions: Vec<Condition>,
    tail: &str,
) -> Result<Vec<ImageId>> {
    let (select, values) = selection(conditions, tail);
    let mut select = db.prepare(&select)?;
    let rows = select.query_map(params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The images that meet all conditions, in SQL with the values for its placeholders.
fn selection(conditions: Vec<Condition>, tail: &str) -> (String, Vec<Value>) {
    let (all, values) = joined(conditions, " AND ", "1");
    (
        format!("SELECT id FROM images i WHERE {all} {tail}"),
        values,
    )
}

/// Conditions as one; `none` is what no condition at all comes to.
fn joined(conditions: impl IntoIterator<Item = Condition>, by: &str, none: &str) -> Condition {
    let (conditions, values): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
    let all = match conditions.join(by) {
        all if all.is_empty() => none.to_owned(),
        all => all,
    };
    (all, values.into_iter().flatten().collect())
}

fn text(value: impl AsRef<str>) -> Value {
    Value::Text(value.as_ref().to_owned())
}

fn date(date: &PartialDate) -> Value {
    text(date.as_str())
}

/// Placeholders for so many values.
fn places(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn compared(comparison: &str, value: Option<Value>) -> Option<Condition> {
    Some((format!("{comparison} ?"), vec![value?]))
}

fn within(column: &str, span: Span) -> impl Iterator<Item = Condition> {
    let from = compared(&format!("{column} >="), span.from.map(Value::Integer));
    let to = compared(&format!("{column} <="), span.to.map(Value::Integer));
    from.into_iter().chain(to)
}

fn one_of(column: &str, values: &[Format]) -> Option<Condition> {
    let condition = format!("{column} IN ({})", places(values.len()));
    (!values.is_empty()).then(|| {
        (
            condition,
            values.iter().map(|value| text(value.name())).collect(),
        )
    })
}

fn not((condition, values): Condition) -> Condition {
    (format!("NOT {condition}"), values)
}

/// Carries one of these labels, or of these keywords of its files.
fn tagged(tags: &[impl AsRef<str>]) -> Condition {
    let places = places(tags.len());
    let carries = format!(
        "(i.id IN (SELECT image_id FROM tags WHERE label_id IN (
              SELECT l.id FROM named_labels l
              WHERE l.name IN ({places}) OR l.set_name || '/' || l.name IN ({places}))
          UNION ALL SELECT f.image_id FROM keywords k JOIN live_files f ON f.id = k.file_id
          WHERE k.keyword IN ({places})))"
    );
    let names = || tags.iter().map(text);
    let of_files = format!("{FILE_SET}/");
    let keyword = |tag: &str| text(tag.strip_prefix(&of_files).unwrap_or(tag));
    let keywords = tags.iter().map(|tag| keyword(tag.as_ref()));
    (carries, names().chain(names()).chain(keywords).collect())
}

fn has_name(name: &str) -> Condition {
    let name = name.to_lowercase();
    // What follows the name without its ending lies between its dot and what sorts behind dots.
    let has_name = "i.id IN (SELECT f.image_id FROM live_files f
                    WHERE f.name = ? OR f.name > ? AND f.name < ?)";
    let names = [name.clone(), format!("{name}."), format!("{name}/")];
    (has_name.to_owned(), names.map(Value::Text).to_vec())
}

fn inside(area: Area) -> Condition {
    let [south, west, north, east] = area.into();
    let join = if west <= east { "AND" } else { "OR" };
    (
        format!("latitude BETWEEN ? AND ? AND (longitude >= ? {join} longitude <= ?)"),
        [south, north, west, east].map(Value::Real).to_vec(),
    )
}

fn is_held() -> Condition {
    let held = "SELECT 1 FROM live_files f WHERE f.image_id = i.id";
    (format!("EXISTS ({held})"), Vec::new())
}

/// A file that holds the image lies in one of these places: under any root where a place is relative.
fn place_condition(db: &Transaction<'_>, places: &[String]) -> Result<Condition> {
    let mut select = db.prepare_cached("SELECT path FROM roots")?;
    let rows = select.query_map([], |row| row.get(0).map(paths::from_bytes))?;
    let roots: Vec<PathBuf> = rows.collect::<rusqlite::Result<_>>()?;
    let pairs = places
        .iter()
        .flat_map(|place| roots.iter().map(move |root| placed(root, place)));
    let (any, values) = joined(pairs, " OR ", "0");
    let images = format!("SELECT f.image_id FROM live_files f WHERE {any}");
    Ok((format!("i.id IN ({images})"), values))
}

/// A file's path is in a folder or matches a glob, which are meant from `root` where they are relative.
fn placed(root: &Path, place: &str) -> Condition {
    if !place.contains(['*', '?', '[']) {
        let (first, end) = paths::below(&root.join(place));
        let values = vec![Value::Blob(first), Value::Blob(end)];
        return ("(f.path >= ? AND f.path < ?)".to_owned(), values);
    }
    let glob = if Path::new(place).is_absolute() {
        place.to_owned()
    } else {
        let root = root.to_string_lossy();
        let separator = std::path::MAIN_SEPARATOR;
        format!("{}{separator}{place}", literal(&root))
    };
    let matches = "CAST(f.path AS TEXT) GLOB ?".to_owned();
    (matches, vec![Value::Text(glob)])
}

/// A text with which a glob means only itself.
fn literal(text: &str) -> String {
    let quoted = |c: char| match c {
        '*' | '?' | '[' => format!("[{c}]"),
        _ => c.to_string(),
    };
    text.chars().map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in which `SQLite` says how it goes about a selection.
    fn plan(store: &Store, conditions: Vec<Condition>) -> String {
        let (select, values) = selection(conditions, "ORDER BY id");
        let plan = store.read(|db| {
            let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {select}"))?;
            let rows = explain.query_map(params_from_iter(values), |row| row.get(3))?;
            Ok(rows.collect::<rusqlite::Result<Vec<String>>>()?)
        });
        plan.unwrap().join("\n")
    }

    #[test]
    fn few_files_are_found_without_going_through_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.root(Path::new("/photos")).unwrap();
        let placed = store.read(|db| place_condition(db, &["2023".to_owned(), "/a".to_owned()]));
        for (condition, index) in [
            (has_name("img_1.jpg"), "files_by_name"),
            (
                placed.unwrap(),
                "sqlite_autoindex_files_1 (path>? AND path<?)",
            ),
            (tagged(&["dog"]), "tags USING PRIMARY KEY"),
        ] {
            let plan = plan(&store, vec![condition]);
            assert!(
                plan.contains(index) && !plan.contains("files_by_state"),
                "{plan}"
            );
        }
    }

    #[test]
    fn a_glob_is_meant_from_the_root_and_the_root_is_not_one() {
        let (condition, values) = placed(Path::new("/a[b]*"), "20*/x.jpg");
        assert!(condition.contains("GLOB"));
        assert_eq!(values, [text("/a[[]b][*]/20*/x.jpg")]);
        assert_eq!(placed(Path::new("/a"), "/b/*").1, [text("/b/*")]);
    }
}
