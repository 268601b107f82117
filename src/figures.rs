//! What the parts of the program count as they work: how often, and for how long. It is counted for the process as a whole, as
//! Prometheus reads it, and so stands here and in no part's own state.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Those of this process.
pub(crate) static FIGURES: LazyLock<Figures> = LazyLock::new(Figures::new);

/// Seconds up to which things are counted together: from a list out of memory to a look at the whole library.
pub(crate) const SECONDS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Pictures up to which batches are counted together.
const PICTURES: [f64; 7] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];

/// A name that is one of few, and its value.
type Label = [(&'static str, &'static str); 1];

/// All that is counted.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Each file that is read and decoded, each batch that is embedded, each that is written, each change of a label set.
    pub(crate) stages: Times,
    /// Each search that is answered, by what is asked for.
    pub(crate) searches: Times,
    /// Of rankings, also those that health checks ask for: looking up filters and embedding, comparing, reading what is found.
    pub(crate) search_parts: Times,
    /// Pictures that are embedded together.
    pub(crate) batches: Histogram,
    /// Files whose content had its embedding already, or needed the model.
    pub(crate) embeddings: Counts,
    /// Thumbnails that were kept, or had to be made.
    pub(crate) thumbnails: Counts,
    /// Tags that came and went with changes of label sets.
    pub(crate) tags: Counts,
    /// Events that were told.
    pub(crate) events: Counts,
}

/// Times by name.
#[derive(Debug)]
pub(crate) struct Times {
    label: &'static str,
    of: Family<Label, Histogram, fn() -> Histogram>,
}

/// Numbers by name.
#[derive(Debug)]
pub(crate) struct Counts {
    label: &'static str,
    of: Family<Label, Counter>,
}

impl Times {
    fn by(label: &'static str) -> Times {
        Times {
            label,
            of: Family::new_with_constructor(|| Histogram::new(SECONDS)),
        }
    }

    pub(crate) fn add(&self, name: &'static str, took: Duration) {
        let of = self.of.get_or_create(&[(self.label, name)]);
        of.observe(took.as_secs_f64());
    }
}

impl Counts {
    fn by(label: &'static str) -> Counts {
        Counts {
            label,
            of: Family::default(),
        }
    }

    pub(crate) fn add(&self, name: &'static str, count: usize) {
        let of = self.of.get_or_create(&[(self.label, name)]);
        of.inc_by(count as u64);
    }
}

impl Figures {
    fn new() -> Figures {
        Figures {
            stages: Times::by("stage"),
            searches: Times::by("kind"),
            search_parts: Times::by("part"),
            batches: Histogram::new(PICTURES),
            embeddings: Counts::by("from"),
            thumbnails: Counts::by("from"),
            tags: Counts::by("change"),
            events: Counts::by("event"),
        }
    }

    /// Puts all of them into `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, help, times) in [
            (
                "stage",
                "Files decoded, batches embedded and written, label sets applied, with the time of each",
                &self.stages,
            ),
            (
                "search",
                "Searches by what is asked for, with the time to the answer",
                &self.searches,
            ),
            (
                "search_part",
                "What rankings take their time for, those of health checks among them",
                &self.search_parts,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, times.of.clone());
        }
        let help = "Pictures that were embedded together";
        registry.register("batch_pictures", help, self.batches.clone());
        for (name, help, counts) in [
            (
                "embeddings",
                "Pictures whose content was known by its embedding already, or that needed the model",
                &self.embeddings,
            ),
            (
                "thumbnails",
                "Thumbnails that were kept, or had to be made",
                &self.thumbnails,
            ),
            (
                "tags_changed",
                "Tags that came and went as label sets changed",
                &self.tags,
            ),
            ("events", "What was told to whoever listens", &self.events),
        ] {
            registry.register(name, help, counts.of.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn what_is_counted_is_told_by_name() {
        let figures = Figures::new();
        figures.stages.add("embed", Duration::from_millis(20));
        figures.batches.observe(3.0);
        figures.thumbnails.add("kept", 2);
        figures.thumbnails.add("kept", 3);
        let mut registry = Registry::with_prefix("pixdex");
        figures.register(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "pixdex_stage_seconds_bucket{le=\"0.025\",stage=\"embed\"} 1",
            "pixdex_batch_pictures_sum 3.0",
            "pixdex_thumbnails_total{from=\"kept\"} 5",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
