//! Filters on metadata and tags, turned into the set of images that pass them.

use std::path::PathBuf;

use rusqlite::types::Value;
use rusqlite::{Transaction, params_from_iter};

use super::{ImageId, Result, Store, paths};

/// Conditions that an image must meet, all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Labels that it must carry, each as `label` or `set/label`.
    pub tags: Vec<String>,
    /// Folders that one of its files must lie in, absolute, or relative to a root.
    pub path: Option<PathBuf>,
    /// Taken at this local time or later: any prefix of `YYYY-MM-DDTHH:MM:SS`.
    pub after: Option<String>,
    /// Taken before this local time: any prefix of `YYYY-MM-DDTHH:MM:SS`.
    pub before: Option<String>,
}

impl Filter {
    /// Whether every image passes.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }
}

/// A condition in SQL with the values for its placeholders.
type Condition = (String, Vec<Value>);

impl Store {
    /// The images that pass the filter and that a file holds, in the order of their rows.
    pub fn matching(&self, filter: &Filter) -> Result<Vec<ImageId>> {
        self.read(|db| select_ids(db, conditions(db, filter)?, "ORDER BY id"))
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
            conditions.extend(before.map(|id| ("id < ?".to_owned(), vec![Value::Integer(id.0)])));
            select_ids(db, conditions, &format!("ORDER BY id DESC LIMIT {limit}"))
        })
    }
}

fn conditions(db: &Transaction<'_>, filter: &Filter) -> Result<Vec<Condition>> {
    let mut conditions = vec![folder_condition(db, filter)?];
    conditions.extend(filter.tags.iter().map(|tag| tag_condition(tag)));
    conditions.extend(
        filter
            .after
            .iter()
            .map(|time| ("taken_at >= ?".to_owned(), vec![text(time)])),
    );
    conditions.extend(
        filter
            .before
            .iter()
            .map(|time| ("taken_at < ?".to_owned(), vec![text(time)])),
    );
    Ok(conditions)
}

fn select_ids(
    db: &Transaction<'_>,
    conditions: Vec<Condition>,
    tail: &str,
) -> Result<Vec<ImageId>> {
    let (conditions, values): (Vec<_>, Vec<_>) = conditions.into_iter().unzip();
    let mut select = db.prepare(&format!(
        "SELECT id FROM images i WHERE {} {tail}",
        conditions.join(" AND ")
    ))?;
    let rows = select.query_map(params_from_iter(values.into_iter().flatten()), |row| {
        row.get(0).map(ImageId)
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

fn tag_condition(tag: &str) -> Condition {
    let carries = "i.id IN (SELECT t.image_id FROM tags t JOIN labels l ON l.id = t.label_id
                   JOIN label_sets s ON s.id = l.label_set_id WHERE l.name = ? OR s.name || '/' || l.name = ?)";
    (carries.to_owned(), vec![text(tag), text(tag)])
}

/// A file holds the image, and it lies in the folder that is asked for: under any root where the folder is relative.
fn folder_condition(db: &Transaction<'_>, filter: &Filter) -> Result<Condition> {
    let held =
        "SELECT 1 FROM files f WHERE f.image_id = i.id AND f.state IN ('indexed', 'offline')";
    let Some(folder) = &filter.path else {
        return Ok((format!("EXISTS ({held})"), Vec::new()));
    };
    let mut select = db.prepare_cached("SELECT path FROM roots")?;
    let rows = select.query_map([], |row| row.get(0).map(paths::from_bytes))?;
    let roots: Vec<PathBuf> = rows.collect::<rusqlite::Result<_>>()?;
    let ranges: Vec<_> = roots
        .iter()
        .map(|root| paths::below(&root.join(folder)))
        .collect();
    let inside = vec!["(f.path >= ? AND f.path < ?)"; ranges.len()].join(" OR ");
    let values = ranges
        .into_iter()
        .flat_map(|(first, end)| [Value::Blob(first), Value::Blob(end)])
        .collect();
    Ok((
        format!(
            "EXISTS ({held} AND ({}))",
            if inside.is_empty() { "0" } else { &inside }
        ),
        values,
    ))
}
