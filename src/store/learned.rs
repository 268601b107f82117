//! What label sets have learned from the library, as it was when they were last applied.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{LabelId, Result, StoreError};

/// How to tell from an embedding whether a picture is like the examples of a label, and what the label's prompt counts
/// beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Likeness {
    /// How far the prompt tells the examples from the library, 0 to 1.
    pub worth: f32,
    /// The log-odds of being like the examples are `way · embedding + bias`.
    pub way: Vec<f32>,
    /// See `way`.
    pub bias: f32,
}

/// Where the log-odds of a set's labels lie in a library, most of which has none of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standard {
    /// Their median.
    pub middle: f32,
    /// Their deviation.
    pub spread: f32,
}

/// What a set has learned from the library.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learned {
    /// Images that the library had then; 0 where nothing was learned.
    pub images: usize,
    /// The measure that its scores are in; none where they are plain probabilities.
    pub standard: Option<Standard>,
    /// What examples have taught, by the label's name.
    pub likenesses: BTreeMap<String, Likeness>,
}

pub(super) fn of_set(db: &Transaction<'_>, set: &str) -> Result<Learned> {
    let mut select =
        db.prepare_cached("SELECT learned_from, middle, spread FROM label_sets WHERE name = ?1")?;
    let learned = select.query_row([set], |row| {
        let measure = row.get::<_, Option<f32>>(1)?.zip(row.get(2)?);
        Ok(Learned {
            images: row.get::<_, i64>(0)? as usize,
            standard: measure.map(|(middle, spread)| Standard { middle, spread }),
            likenesses: BTreeMap::new(),
        })
    });
    let mut learned = learned.optional()?.unwrap_or_default();
    let mut select = db.prepare_cached(
        "SELECT l.name, k.worth, k.bias, k.way FROM likenesses k JOIN labels l ON l.id = k.label_id
         JOIN label_sets s ON s.id = l.label_set_id WHERE s.name = ?1",
    )?;
    let mut rows = select.query([set])?;
    while let Some(row) = rows.next()? {
        learned.likenesses.insert(row.get(0)?, likeness(row)?);
    }
    Ok(learned)
}

fn likeness(row: &Row<'_>) -> Result<Likeness> {
    let way: Vec<u8> = row.get(3)?;
    let (values, rest) = way.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(StoreError::Damaged("a ragged likeness".to_owned()));
    }
    Ok(Likeness {
        worth: row.get(1)?,
        bias: row.get(2)?,
        way: values.iter().copied().map(f32::from_le_bytes).collect(),
    })
}

/// Makes what is kept of a set as a whole what `learned` says.
pub(super) fn replace_of_set(db: &Transaction<'_>, set: i64, learned: &Learned) -> Result<()> {
    let (middle, spread) = (learned.standard)
        .map(|standard| (standard.middle, standard.spread))
        .unzip();
    let mut update = db.prepare_cached(
        "UPDATE label_sets SET learned_from = ?2, middle = ?3, spread = ?4 WHERE id = ?1",
    )?;
    update.execute(params![set, learned.images as i64, middle, spread])?;
    Ok(())
}

/// Makes what is kept of a label what `learned` says.
pub(super) fn replace_of_label(
    db: &Transaction<'_>,
    LabelId(id): LabelId,
    label: &str,
    learned: &Learned,
) -> Result<()> {
    db.prepare_cached("DELETE FROM likenesses WHERE label_id = ?1")?
        .execute([id])?;
    let Some(Likeness { worth, way, bias }) = learned.likenesses.get(label) else {
        return Ok(());
    };
    let way: Vec<u8> = way.iter().flat_map(|value| value.to_le_bytes()).collect();
    let mut insert = db.prepare_cached(
        "INSERT INTO likenesses (label_id, worth, bias, way) VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute(params![id, worth, bias, way])?;
    Ok(())
}
