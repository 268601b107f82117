//! The table `decisions`: what people decided about tags. Outlives every re-tag, model, label file and label.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, Value, ValueRef};
use rusqlite::{Row, ToSql, Transaction, params, params_from_iter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::hash::{self, ContentHash};
use super::ids::ImageId;
use super::{Result, Store};
use crate::spelling::composed;

/// A person's word on whether an image has a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It has the label, whatever its score.
    Confirmed,
    /// It has not.
    Rejected,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Confirmed => "confirmed",
            Verdict::Rejected => "rejected",
        }
    }
}

impl ToSql for Verdict {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.name().into())
    }
}

impl FromSql for Verdict {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Verdict> {
        let name = value.as_str()?;
        let verdict = [Verdict::Confirmed, Verdict::Rejected]
            .into_iter()
            .find(|verdict| verdict.name() == name);
        verdict.ok_or_else(|| FromSqlError::Other(format!("a decision `{name}`").into()))
    }
}

/// A decision; in JSON a line of what is exported and imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The image's identity.
    pub image: ContentHash,
    /// The `id` of the label set, or its name where it has none.
    pub set: String,
    /// The label's name.
    pub label: String,
    /// What was decided; none takes an earlier decision back, and must be written as `null`: a line that lacks it is wrong.
    #[serde(rename = "decision", deserialize_with = "Option::deserialize")]
    pub verdict: Option<Verdict>,
    /// When, `YYYY-MM-DDTHH:MM:SSZ`; none is now.
    pub decided_at: Option<String>,
}

/// A line that is no decision.
#[derive(Debug, Error)]
#[error("line {line}: {source}")]
pub struct BadDecision {
    /// Its number, from 1.
    line: usize,
    source: serde_json::Error,
}

impl Decision {
    /// Reads decisions, a JSON document a line.
    pub fn parse_lines(text: &[u8]) -> std::result::Result<Vec<Decision>, BadDecision> {
        let lines = text.split(|byte| *byte == b'\n').zip(1..);
        let filled = lines.filter(|(line, _)| !line.trim_ascii().is_empty());
        let parse = |(text, line)| {
            let decision = serde_json::from_slice(text);
            let mut decision: Decision = decision.map_err(|source| BadDecision { line, source })?;
            decision.label = composed(&decision.label).into_owned();
            Ok(decision)
        };
        filled.map(parse).collect()
    }
}

/// Which decisions are asked for: all that meet each given condition.
#[derive(Debug, Clone, Default)]
pub struct WhichDecisions {
    /// Of this label set.
    pub set: Option<String>,
    /// Of this label.
    pub label: Option<String>,
    /// On one of these images.
    pub images: Option<Vec<ContentHash>>,
}

impl Store {
    /// Decisions by label set, label and image.
    pub fn decisions(&self, which: &WhichDecisions) -> Result<Vec<Decision>> {
        let text = |value: &Option<String>| value.clone().map(Value::Text);
        let conditions = [
            ("label_set = ?", text(&which.set)),
            ("label = ?", text(&which.label)),
            (
                "hash IN (SELECT unhex(value) FROM json_each(?))",
                which
                    .images
                    .as_ref()
                    .map(|images| Value::Text(hash::json(images))),
            ),
        ];
        let given = conditions
            .into_iter()
            .filter_map(|(sql, value)| Some((sql, value?)));
        // What nothing is asked of is all of them.
        let (conditions, values): (Vec<_>, Vec<_>) = given.unzip();
        let conditions = [vec!["1"], conditions].concat().join(" AND ");
        self.read(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT hash, label_set, label, verdict, decided_at FROM decisions WHERE {conditions}
                 ORDER BY label_set, label, hash"
            ))?;
            let rows = select.query_map(params_from_iter(values), decision)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// What was decided about the first of each pair, and nothing since about the second, as decisions on the second.
    pub fn decisions_to_inherit(&self, pairs: &[(ImageId, ImageId)]) -> Result<Vec<Decision>> {
        let pairs: Vec<_> = pairs.iter().map(|(of, on)| (of.0, on.0)).collect();
        let pairs = serde_json::json!(pairs).to_string();
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT heir.hash, d.label_set, d.label, d.verdict, d.decided_at FROM json_each(?1) pair
                 JOIN images first ON first.id = pair.value ->> 0 JOIN images heir ON heir.id = pair.value ->> 1
                 JOIN decisions d ON d.hash = first.hash
                 WHERE NOT EXISTS (
                     SELECT 1 FROM decisions
                     WHERE hash = heir.hash AND label_set = d.label_set AND label = d.label AND decided_at > d.decided_at)",
            )?;
            let rows = select.query_map([pairs], decision)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn decision(row: &Row<'_>) -> rusqlite::Result<Decision> {
    Ok(Decision {
        image: row.get(0)?,
        set: row.get(1)?,
        label: row.get(2)?,
        verdict: Some(row.get(3)?),
        decided_at: Some(row.get(4)?),
    })
}

/// The time of this moment, as decisions have it.
pub(super) fn now(db: &Transaction<'_>) -> Result<String> {
    Ok(
        db.query_row("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now')", [], |row| {
            row.get(0)
        })?,
    )
}

/// Keeps a decision, or takes it back, and returns how many that changed.
pub(super) fn put(db: &Transaction<'_>, decision: &Decision) -> Result<usize> {
    let Decision {
        image,
        set,
        label,
        verdict,
        decided_at,
    } = decision;
    let Some(verdict) = verdict else {
        let mut delete = db.prepare_cached(
            "DELETE FROM decisions WHERE label_set = ?1 AND label = ?2 AND hash = ?3",
        )?;
        return Ok(delete.execute(params![set, label, image])?);
    };
    let mut upsert = db.prepare_cached(
        "INSERT INTO decisions (label_set, label, hash, verdict, decided_at)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET verdict = excluded.verdict, decided_at = excluded.decided_at
             WHERE verdict <> excluded.verdict",
    )?;
    Ok(upsert.execute(params![set, label, image, verdict, decided_at])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(seed: u8, label: &str, verdict: Option<Verdict>) -> Decision {
        Decision {
            image: ContentHash([seed; 32]),
            set: "set".to_owned(),
            label: label.to_owned(),
            verdict,
            decided_at: Some("2024-05-01T10:00:00Z".to_owned()),
        }
    }

    #[test]
    fn decisions_are_kept_changed_and_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let all = || store.decisions(&WhichDecisions::default()).unwrap();
        let first = [
            decision(1, "a", Some(Verdict::Confirmed)),
            decision(2, "a", Some(Verdict::Rejected)),
            decision(1, "b", Some(Verdict::Rejected)),
        ];
        assert_eq!(store.decide(&first, &[]).unwrap(), 3);
        assert_eq!(all(), first);
        assert_eq!(store.decide(&first, &[]).unwrap(), 0, "nothing new");
        let second = [
            decision(1, "a", Some(Verdict::Rejected)),
            decision(2, "a", None),
        ];
        assert_eq!(store.decide(&second, &[]).unwrap(), 2);
        assert_eq!(all(), [second[0].clone(), first[2].clone()]);
        let which = WhichDecisions {
            label: Some("b".to_owned()),
            ..WhichDecisions::default()
        };
        assert_eq!(store.decisions(&which).unwrap(), [first[2].clone()]);
        let which = WhichDecisions {
            images: Some(vec![ContentHash([2; 32])]),
            ..WhichDecisions::default()
        };
        assert!(store.decisions(&which).unwrap().is_empty());
    }

    #[test]
    fn a_line_that_decides_nothing_is_wrong() {
        let line = serde_json::to_string(&decision(1, "a", None)).unwrap();
        assert_eq!(
            Decision::parse_lines(line.as_bytes()).unwrap(),
            [decision(1, "a", None)]
        );
        let without = line.replace("\"decision\":null,", "");
        let error = Decision::parse_lines(without.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 1") && error.contains("`decision`"),
            "{error}"
        );
    }

    #[test]
    fn a_decision_without_a_time_is_of_now() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let now = Decision {
            decided_at: None,
            ..decision(1, "a", Some(Verdict::Confirmed))
        };
        store.decide(&[now], &[]).unwrap();
        let kept = store
            .decisions(&WhichDecisions::default())
            .unwrap()
            .remove(0);
        let time = kept.decided_at.unwrap();
        assert!(
            time.len() == 20 && time.starts_with("20") && time.ends_with('Z'),
            "{time}"
        );
    }
}
