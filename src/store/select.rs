//! From a filter to the images that pass it: reads all tables that say something about images.

use std::collections::BTreeSet;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::slice;

use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use super::date::PartialDate;
use super::filter::{Area, Excluded, Filter, Span};
use super::ids::ImageId;
use super::names::FILE_SET;
use super::order::{Order, Place};
use super::{Result, Store, StoreError, paths};
use crate::formats::Format;
use crate::spelling::{folded, spellings, spellings_of_path};

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

    /// Up to `limit` of those images in this order, behind a place of it and `offset` more, each with its own place.
    pub fn page(
        &self,
        filter: &Filter,
        order: Order,
        behind: Option<&Place>,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<(ImageId, Place)>> {
        self.read(|db| {
            let mut conditions = conditions(db, filter)?;
            let listed = order.listed(filter.is_empty());
            if !listed.is_of_files() {
                conditions.push(is_held());
            }
            conditions.extend(behind.map(|place| (listed.behind(), place.values())));
            let (all, mut values) = joined(conditions, " AND ", "1");
            values.push(i64::try_from(offset).unwrap_or(i64::MAX).into());
            let (from, key, order_by) = (listed.from, listed.key, listed.order_by());
            let mut select = db.prepare_cached(&format!(
                "SELECT i.id, {key} FROM {from} WHERE {all} {order_by} LIMIT {limit} OFFSET ?"
            ))?;
            let rows = select.query_map(params_from_iter(values), |row| {
                Ok((row.get(0)?, Place::read(order, row)?))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
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
    let tags = |tags: &[String]| Ok::<_, StoreError>(tagged(&with_stored_sets(db, tags)?));
    if !filter.paths.is_empty() {
        all.push(place_condition(db, &filter.paths)?);
    }
    for tag in &filter.all_tags {
        all.push(tags(slice::from_ref(tag))?);
    }
    for any in &filter.any_tags {
        all.push(tags(any)?);
    }
    for tag in &filter.no_tags {
        all.push(not(tags(slice::from_ref(tag))?));
    }
    all.extend(compared("taken_at >=", filter.after.as_ref().map(date)));
    all.extend(compared("taken_at <", filter.before.as_ref().map(date)));
    all.extend(taken(&filter.taken));
    all.extend(one_of("format", &filter.formats));
    all.extend(within("width", filter.width));
    all.extend(within("height", filter.height));
    all.extend(within("size_bytes", filter.size_bytes));
    all.extend(of_cameras(&filter.cameras));
    all.extend(filter.area.map(inside));
    let Excluded {
        paths,
        taken: times,
        formats,
        cameras,
    } = &filter.not;
    if !paths.is_empty() {
        all.push(not(place_condition(db, paths)?));
    }
    let excluded = [taken(times), one_of("format", formats), of_cameras(cameras)];
    all.extend(excluded.into_iter().flatten().map(not));
    Ok(all)
}

fn select_ids(
    db: &Transaction<'_>,
    conditions: Vec<Condition>,
    tail: &str,
) -> Result<Vec<ImageId>> {
    let (select, values) = selection(conditions, tail);
    // People filter in few ways, and to read a statement takes longer than to look up what it asks for.
    let mut select = db.prepare_cached(&select)?;
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

/// What is not known, such as the camera of a scan, is not what is meant by it.
fn not((condition, values): Condition) -> Condition {
    (format!("NOT coalesce({condition}, 0)"), values)
}

/// At one of these times: whole ones sort between their beginning and whatever is behind all that go on from it.
fn taken(times: &[PartialDate]) -> Option<Condition> {
    let at = |time: &PartialDate| {
        let (from, to) = (date(time), text(format!("{}~", time.as_str())));
        ("taken_at BETWEEN ? AND ?".to_owned(), vec![from, to])
    };
    any(times.iter().map(at))
}

/// With one of these cameras.
fn of_cameras(cameras: &[String]) -> Option<Condition> {
    let with = |camera: &String| {
        let camera = text(camera.to_lowercase());
        ("instr(lower(camera), ?) > 0".to_owned(), vec![camera])
    };
    any(cameras.iter().map(with))
}

/// One of these at least; none where there are none.
fn any(conditions: impl ExactSizeIterator<Item = Condition>) -> Option<Condition> {
    (conditions.len() > 0).then(|| {
        let (any, values) = joined(conditions, " OR ", "0");
        (format!("({any})"), values)
    })
}

/// The tags with the names of their sets as those are stored: capitals do not tell sets apart.
fn with_stored_sets(db: &Transaction<'_>, tags: &[String]) -> Result<Vec<String>> {
    if !tags.iter().any(|tag| tag.contains('/')) {
        return Ok(tags.to_vec());
    }
    let mut select = db.prepare_cached("SELECT name FROM label_sets")?;
    let rows = select.query_map([], |row| row.get(0))?;
    let sets: Vec<String> = rows.collect::<rusqlite::Result<_>>()?;
    let stored = |tag: &String| {
        let (set, label) = tag.split_once('/')?;
        let wanted = folded(set);
        let set = sets.iter().find(|set| folded(set) == wanted)?;
        Some(format!("{set}/{label}"))
    };
    let tags = tags.iter();
    Ok(tags
        .map(|tag| stored(tag).unwrap_or_else(|| tag.clone()))
        .collect())
}

/// Carries one of these labels, or of these keywords of its files, in any spelling.
fn tagged(tags: &[impl AsRef<str>]) -> Condition {
    let tags: Vec<String> = tags
        .iter()
        .flat_map(|tag| spellings(tag.as_ref()))
        .collect();
    let places = places(tags.len());
    let carries = format!(
        "(i.id IN (SELECT image_id FROM tags WHERE label_id IN (
              SELECT l.id FROM named_labels l
              WHERE l.name IN ({places}) OR l.set_name || '/' || l.name IN ({places}))
          UNION ALL SELECT f.image_id FROM keywords k JOIN shot_files f ON f.id = k.file_id
          WHERE k.keyword IN ({places})
          UNION ALL SELECT g.id FROM given_keywords k JOIN images g ON g.hash = k.hash WHERE k.keyword IN ({places})))"
    );
    let names = || tags.iter().map(text);
    let of_files = format!("{FILE_SET}/");
    let keyword = |tag: &str| text(tag.strip_prefix(&of_files).unwrap_or(tag));
    let keywords = tags.iter().map(|tag| keyword(tag.as_ref()));
    let values = names().chain(names()).chain(keywords.clone());
    (carries, values.chain(keywords).collect())
}

/// Files of older libraries have their names as they were spelt.
fn has_name(name: &str) -> Condition {
    // What follows the name without its ending lies between its dot and what sorts behind dots.
    let is_it = |name: String| {
        let names = [name.clone(), format!("{name}."), format!("{name}/")];
        let condition = "(f.name = ? OR f.name > ? AND f.name < ?)".to_owned();
        (condition, names.map(Value::Text).to_vec())
    };
    let spellings = spellings(&folded(name)).into_iter();
    let (any, values) = joined(spellings.map(is_it), " OR ", "0");
    let images = format!("i.id IN (SELECT f.image_id FROM shot_files f WHERE {any})");
    (images, values)
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

/// A file that holds the image lies in one of these places, or matches one that is a glob: under any root where a place is relative.
///
/// Every part of a place has its own spelling on the disk. A folder with brackets in its name is meant by its name, not as a glob.
fn place_condition(db: &Transaction<'_>, places: &[String]) -> Result<Condition> {
    let mut select = db.prepare_cached("SELECT path FROM roots")?;
    let rows = select.query_map([], |row| row.get(0).map(paths::from_bytes))?;
    let roots: Vec<PathBuf> = rows.collect::<rusqlite::Result<_>>()?;
    let (mut folders, mut globs) = (BTreeSet::new(), BTreeSet::new());
    for place in places {
        let paths = spellings_of_path(place);
        let paths = paths
            .iter()
            .flat_map(|path| roots.iter().map(move |root| root.join(path)));
        let of_place: BTreeSet<PathBuf> = paths.collect();
        if !place.contains(NOT_IN_FOLDERS) || holds_files(db, &of_place)? {
            folders.extend(of_place);
            continue;
        }
        let is_lossy = place.contains(char::REPLACEMENT_CHARACTER);
        let glob = if is_lossy {
            literal(place)
        } else {
            place.clone()
        };
        let spelt = spellings(&glob).into_iter();
        globs.extend(
            spelt.flat_map(|glob| roots.iter().flat_map(move |root| absolute(root, &glob))),
        );
    }
    let condition = format!(
        "i.id IN ({BELOW_FOLDERS} UNION ALL
         SELECT f.image_id FROM json_each(?) glob CROSS JOIN shot_files f ON CAST(f.path AS TEXT) GLOB glob.value)"
    );
    let globs = Value::Text(serde_json::Value::from_iter(globs).to_string());
    Ok((condition, vec![ranges(&folders), globs]))
}

/// What makes a place a glob, if no folder has that name. What is told instead of bytes that are no
/// text matches them in a glob.
const NOT_IN_FOLDERS: [char; 4] = ['*', '?', '[', char::REPLACEMENT_CHARACTER];

/// The images of files below the folders of [`ranges`].
const BELOW_FOLDERS: &str = "SELECT f.image_id FROM json_each(?) folder CROSS JOIN live_files f
    ON f.path >= unhex(folder.value ->> 0) AND f.path < unhex(folder.value ->> 1)";

/// What paths below these folders lie between.
fn ranges(folders: &BTreeSet<PathBuf>) -> Value {
    let range = |folder: &PathBuf| {
        let (first, end) = paths::below(folder);
        serde_json::Value::from_iter([first, end].map(|path| paths::hex(&path)))
    };
    let ranges: serde_json::Value = folders.iter().map(range).collect();
    Value::Text(ranges.to_string())
}

fn holds_files(db: &Transaction<'_>, folders: &BTreeSet<PathBuf>) -> Result<bool> {
    let mut select = db.prepare_cached(&format!("SELECT EXISTS ({BELOW_FOLDERS})"))?;
    Ok(select.query_row([ranges(folders)], |row| row.get(0))?)
}

/// The glob from the root of the file system, and the one of all that lies below what it matches.
fn absolute(root: &Path, glob: &str) -> [String; 2] {
    let glob = if Path::new(glob).is_absolute() {
        glob.to_owned()
    } else {
        format!("{}{MAIN_SEPARATOR}{glob}", literal(&root.to_string_lossy()))
    };
    let glob = glob.trim_end_matches(MAIN_SEPARATOR);
    [glob.to_owned(), format!("{glob}{MAIN_SEPARATOR}*")]
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
    use crate::decode::DateSource;
    use crate::store::{ContentHash, samples};

    #[test]
    fn lists_in_every_order_are_read_from_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for name in Order::NAMES {
            let listed = name.parse::<Order>().unwrap().listed(true);
            let plan = store.read(|db| {
                let (from, key, behind) = (listed.from, listed.key, listed.behind());
                let order_by = listed.order_by();
                let mut explain = db.prepare(&format!(
                    "EXPLAIN QUERY PLAN SELECT i.id, {key} FROM {from} WHERE {behind} {order_by} LIMIT 9"
                ))?;
                let values = vec!["7"; behind.matches('?').count()];
                let rows = explain.query_map(params_from_iter(values), |row| row.get(3))?;
                Ok(rows.collect::<rusqlite::Result<Vec<String>>>()?)
            });
            let plan = plan.unwrap().join(" ");
            // Images whose files have the same name are put in order among themselves.
            let sorts = plan.contains("TEMP B-TREE") && !listed.is_of_files();
            let begins = if listed.is_of_files() {
                "SEARCH files USING INDEX files_by_name"
            } else {
                "SEARCH"
            };
            assert!(plan.starts_with(begins) && !sorts, "{name}: {plan}");
        }
    }

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

    /// A library with a file in each of these folders of two roots.
    fn with_files(paths: &[&[u8]]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let root = store.root(Path::new("/a[b]*")).unwrap();
        store.root(Path::new("/Fotos u\u{308}")).unwrap();
        for (seed, path) in (0..).zip(paths) {
            let content = samples::content(ContentHash([seed; 32]));
            let path = paths::from_bytes(path.to_vec());
            let record = samples::record(root, path, content);
            store.record(model, &[record]).unwrap();
        }
        (folder, store)
    }

    #[test]
    fn what_is_left_out_is_what_is_known_to_be_so() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let model = store.model("fingerprint", "name").unwrap();
        let root = store.root(Path::new("/photos")).unwrap();
        let add = |seed: u8, path: &str, format, taken_at: &str, camera: Option<&str>| {
            let mut content = samples::content(ContentHash([seed; 32]));
            content.metadata.format = format;
            content.metadata.taken_at = Some(taken_at.to_owned());
            content.metadata.date_source = Some(DateSource::DateTimeOriginal);
            content.metadata.camera = camera.map(str::to_owned);
            let record = samples::record(root, format!("/photos/{path}"), content);
            store.record(model, &[record]).unwrap();
        };
        add(
            0,
            "a/x.jpg",
            Format::Jpeg,
            "2023-05-31T23:59:59",
            Some("Canon R5"),
        );
        add(
            1,
            "b/x.png",
            Format::Png,
            "2023-06-01T00:00:00",
            Some("Nikon Z"),
        );
        add(2, "b/c/x.gif", Format::Gif, "2024-01-01T00:00:00", None);
        let found = |change: &dyn Fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            let images = store.matching(&filter).unwrap();
            images.iter().map(|id| id.0 - 1).collect::<Vec<_>>()
        };
        let times = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(found(&|filter| filter.taken = times(&["2023"])), [0, 1]);
        assert_eq!(
            found(&|filter| filter.taken = times(&["2023-05", "2024"])),
            [0, 2]
        );
        assert_eq!(
            found(&|filter| filter.not.taken = times(&["2023-05-31"])),
            [1, 2]
        );
        assert_eq!(
            found(&|filter| filter.cameras = owned(&["canon", "nikon"])),
            [0, 1]
        );
        assert_eq!(
            found(&|filter| filter.not.cameras = owned(&["canon"])),
            [1, 2]
        );
        assert_eq!(found(&|filter| filter.not.paths = owned(&["b"])), [0]);
        assert_eq!(
            found(&|filter| filter.not.formats = vec![Format::Png, Format::Gif]),
            [0]
        );
    }

    #[test]
    fn a_place_is_found_by_the_name_that_its_folder_has() {
        let files: [&[u8]; 9] = [
            b"/a[b]*/2019/x.jpg",
            b"/a[b]*/[2019] Holiday/x.jpg",
            b"/a[b]*/[2019] Holiday/sub/y.jpg",
            b"/a[b]*/2 Holiday/x.jpg",
            b"/a[b]*/what?/*/x.jpg",
            "/a[b]*/M\u{fc}nchen/Ko\u{308}ln/x.jpg".as_bytes(),
            "/Fotos u\u{308}/Mu\u{308}nchen/K\u{f6}ln/y.jpg".as_bytes(),
            b"/a[b]*/caf\xe9/x.jpg",
            b"/aXbY/2019/x.jpg",
        ];
        let (_folder, store) = with_files(&files);
        let found = |place: &str| {
            let filter = Filter {
                paths: vec![place.to_owned()],
                ..Filter::default()
            };
            let images = store.matching(&filter).unwrap();
            images.iter().map(|id| id.0 - 1).collect::<Vec<_>>()
        };
        for (place, wanted) in [
            ("2019", &[0][..]),
            ("[2019] Holiday", &[1, 2]),
            ("/a[b]*/[2019] Holiday/", &[1, 2]),
            ("[2019] Holiday/sub", &[2]),
            // No folder has this name, so it is a glob, which matches below too.
            ("[12] Holiday", &[3]),
            ("[[]2019] Holi???", &[1, 2]),
            ("*/sub", &[2]),
            ("*/sub/", &[2]),
            ("20??/*.jpg", &[0]),
            ("what?", &[4]),
            ("what?/*", &[4]),
            ("M\u{fc}nchen", &[5, 6]),
            ("Mu\u{308}nchen", &[5, 6]),
            ("M\u{fc}nchen/Ko\u{308}ln/", &[5, 6]),
            ("/Fotos \u{fc}/M\u{fc}nchen", &[6]),
            ("M\u{fc}n*", &[5, 6]),
            ("Mu\u{308}nchen/*/y.jpg", &[6]),
            // As it is told of a folder whose name is no text.
            ("/a[b]*/caf\u{fffd}", &[7]),
            ("/a[b]*", &[0, 1, 2, 3, 4, 5, 7]),
            ("nowhere", &[]),
        ] {
            assert_eq!(found(place), wanted, "{place}");
        }
    }

    #[test]
    fn names_are_found_in_whatever_spelling() {
        let files: [&[u8]; 2] = [
            "/a[b]*/Cafe\u{301}.JPG".as_bytes(),
            "/a[b]*/CAF\u{c9}.png".as_bytes(),
        ];
        let (_folder, store) = with_files(&files);
        let count = |name: &str| store.named(name, &Filter::default()).unwrap().len();
        for name in ["caf\u{e9}", "Cafe\u{301}", "CAF\u{c9}"] {
            assert_eq!(count(name), 2, "{name}");
            assert_eq!(count(&format!("{name}.jpg")), 1, "{name}");
        }
        // As an older library has it.
        let decomposed = "UPDATE files SET name = ?1 WHERE name = ?2";
        let names = ["cafe\u{301}.png", "caf\u{e9}.png"];
        store
            .write(|db| Ok(db.execute(decomposed, names)?))
            .unwrap();
        assert_eq!(count("caf\u{e9}"), 2);
    }
}
