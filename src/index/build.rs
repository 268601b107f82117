//! Building a segment in the background: codes, graph and file from the images at one moment, then measuring it.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use super::codes::Quantizer;
use super::file::{Array, Draft, Shape};
use super::graph;
use super::random;
use super::segment::{Segment, entries};
use super::tune::{self, Sample, Tuning};
use crate::config::IndexConfig;
use crate::store::ImageId;

/// Images that a segment is measured with.
const SAMPLES: usize = 400;

/// What a segment is built from.
pub(super) struct Plan<'a> {
    pub(super) path: &'a Path,
    pub(super) fingerprint: &'a str,
    pub(super) embedding_dim: usize,
    pub(super) config: &'a IndexConfig,
    pub(super) texts: &'a [Sample],
    pub(super) stop: &'a AtomicBool,
}

/// Builds a segment of `rows`, measures it and writes its file; nothing where it was told to stop.
pub(super) fn build(
    plan: &Plan<'_>,
    mut rows: Vec<(ImageId, &[f32])>,
) -> io::Result<Option<(Segment, Tuning)>> {
    put_entries_first(&mut rows);
    let quantizer = Quantizer::fit(plan.embedding_dim, rows.iter().map(|row| row.1));
    let stride = quantizer.stride();
    let mut codes = vec![0; rows.len() * stride];
    let encode = |(codes, row): (&mut [u8], &(ImageId, &[f32]))| quantizer.encode(row.1, codes);
    let errors: Vec<f32> = codes
        .par_chunks_exact_mut(stride)
        .zip(&rows)
        .map(encode)
        .collect();
    let query = |node: u32| quantizer.query(rows[node as usize].1);
    let Some(graph) = graph::build(&codes, stride, query, plan.config, plan.stop) else {
        return Ok(None);
    };
    let shape = Shape::new(
        plan.fingerprint,
        plan.embedding_dim,
        rows.len(),
        graph.links.len(),
    );
    let mut draft = Draft::new(plan.path, shape.clone())?;
    draft.write(Array::Quantizer, &[quantizer.step()])?;
    draft.write(Array::Quantizer, quantizer.mean())?;
    write_ids(&mut draft, &rows)?;
    draft.write(Array::Errors, &errors)?;
    draft.write(Array::Offsets, &graph.offsets)?;
    draft.write(Array::Links, &graph.links)?;
    draft.write(Array::Codes, &codes)?;
    rows.iter()
        .try_for_each(|row| draft.write(Array::Rows, row.1))?;
    drop((codes, graph));
    let segment = Segment::new(draft.map()?, shape);
    let tuning = measure(&segment, plan);
    draft.finish(tuning)?;
    Ok(Some((segment, tuning)))
}

/// A walk begins from the first nodes: they are a random choice.
fn put_entries_first(rows: &mut [(ImageId, &[f32])]) {
    for place in 0..entries(rows.len()) {
        let other = place + (random(place as u64) % (rows.len() - place) as u64) as usize;
        rows.swap(place, other);
    }
}

fn write_ids(draft: &mut Draft, rows: &[(ImageId, &[f32])]) -> io::Result<()> {
    let ids: Vec<i64> = rows.iter().map(|row| row.0.0).collect();
    draft.write(Array::Ids, &ids)?;
    let mut by_id: Vec<u32> = (0..ids.len() as u32).collect();
    by_id.sort_unstable_by_key(|node| ids[*node as usize]);
    draft.write(Array::ById, &by_id)
}

fn measure(segment: &Segment, plan: &Plan<'_>) -> Tuning {
    let config = plan.config;
    Tuning {
        text: tune::tune(segment, plan.texts, config.target_recall_text),
        image: tune::tune(
            segment,
            &Sample::of_images(segment, SAMPLES),
            config.target_recall_image,
        ),
    }
}
