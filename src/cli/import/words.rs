//! Words that people gave their pictures elsewhere become keywords, or decisions on labels of the same name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::super::backend::Backend;
use super::super::output;
use crate::config::Config;
use crate::import::{self, Descriptions, Match, Program};
use crate::library::Taken;
use crate::spelling::folded;
use crate::store::{ContentHash, Decision, Given, Store, Verdict, WhichDecisions};

/// So many examples of what is not taken over.
const EXAMPLES: usize = 10;

/// Pictures are found by the ends of their paths and by their sizes, so that it need not be said what folders are called there.
/// Nothing is changed unless --apply is given.
#[derive(Debug, Args)]
pub(in crate::cli) struct FromProgram {
    #[arg(
        value_name = "PATH",
        help = "What the program keeps or gave out: digiKam's `digikam4.db`, a file of Immich's answers, PhotoPrism's folder `storage`"
    )]
    path: PathBuf,
    /// What becomes of the words
    #[arg(long = "as", value_name = "KIND", default_value = "keywords")]
    kind: Kind,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// They stand beside the keywords that the files carry themselves
    Keywords,
    /// Those that are names of labels confirm these; what you decided before stays as it is
    Decisions,
}

/// What you decided before stays as it is. Nothing is changed unless --apply is given.
#[derive(Debug, Args)]
pub(in crate::cli) struct FromFiles {
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    /// Decide on labels of this set alone
    #[arg(long, value_name = "SET")]
    set: Option<String>,
    /// Do it, rather than tell what would be done
    #[arg(long)]
    apply: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Forget {
    /// The program
    #[arg(value_name = "PROGRAM")]
    program: Source,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Source {
    Digikam,
    Immich,
    Photoprism,
}

#[derive(Serialize)]
struct Report {
    /// Whether it was done.
    applied: bool,
    /// Pictures with words, as the program knows them.
    pictures: usize,
    /// Of these, those that are known here.
    found: usize,
    /// Those that are not, and those that may be one or another.
    not_found: Vec<String>,
    not_found_count: usize,
    several: Vec<String>,
    several_count: usize,
    /// What could not be read.
    skipped: Vec<String>,
    /// Words that those here have, each picture's.
    words: usize,
    #[serde(flatten)]
    made: Made,
}

#[derive(Serialize, Default)]
struct Made {
    /// Keywords or decisions that are new.
    new: usize,
    /// Decisions that say otherwise, and stay.
    contrary: usize,
    /// Labels with the number of new decisions on each.
    labels: BTreeMap<String, usize>,
    /// The most frequent of the words that no label is called by.
    without_label: Vec<WordCount>,
}

#[derive(Serialize)]
struct WordCount {
    word: String,
    images: usize,
}

impl FromProgram {
    pub(in crate::cli) fn run(self, program: Program, config: &Config) -> Result<()> {
        ensure!(
            self.how.set.is_none() || self.kind == Kind::Decisions,
            "--set says which labels are decided on: add --as decisions"
        );
        let descriptions = program.read(&self.path)?;
        let store = Store::open_existing(&config.library_dir()?)?;
        let (given, mut report) = found(descriptions, &store)?;
        report.made = match self.kind {
            Kind::Keywords => keep(program, &given, &store, &self.how, config)?,
            Kind::Decisions => decide(&given, &store, &self.how, config)?,
        };
        report.print(self.kind, &self.how)
    }
}

impl FromFiles {
    pub(in crate::cli) fn run(self, config: &Config) -> Result<()> {
        let store = Store::open_existing(&config.library_dir()?)?;
        let carried = store.carried_keywords()?;
        let mut report = Report::of(&carried, carried.len());
        report.made = decide(&carried, &store, &self.how, config)?;
        report.print(Kind::Decisions, &self.how)
    }
}

impl Forget {
    pub(in crate::cli) fn run(self, config: &Config) -> Result<()> {
        let program = match self.program {
            Source::Digikam => Program::Digikam,
            Source::Immich => Program::Immich,
            Source::Photoprism => Program::Photoprism,
        };
        let taken = Taken::take(config)?;
        let forgotten = taken.store.forget_given_keywords(program.name())?;
        let report = serde_json::json!({ "forgotten": forgotten });
        output::print(&report, self.json, |_| {
            print_line!("{forgotten} keywords taken out");
        })
    }
}

/// The words of images that are here.
fn found(descriptions: Descriptions, store: &Store) -> Result<(Given, Report)> {
    let library = import::Library::new(store.shot_files()?);
    let bar = output::counting("looking for pictures", descriptions.pictures.len());
    let (mut given, mut found) = (Given::new(), 0);
    let (mut not_found, mut several) = (Vec::new(), Vec::new());
    let pictures = descriptions.pictures.len();
    for described in descriptions.pictures {
        match library.find(&described) {
            Match::Images(images) => {
                found += 1;
                for image in images {
                    let words = described.words.iter().cloned();
                    given.entry(image).or_default().extend(words);
                }
            }
            Match::Nothing => not_found.push(described.path),
            Match::Several => several.push(described.path),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let mut report = Report::of(&given, pictures);
    report.found = found;
    (report.not_found_count, report.several_count) = (not_found.len(), several.len());
    for paths in [&mut not_found, &mut several] {
        paths.sort();
        paths.truncate(EXAMPLES);
    }
    (report.not_found, report.several) = (not_found, several);
    report.skipped = descriptions.skipped;
    Ok((given, report))
}

fn keep(
    program: Program,
    given: &Given,
    store: &Store,
    how: &How,
    config: &Config,
) -> Result<Made> {
    let before = store.given_keywords(program.name())?;
    let is_new = |image: &ContentHash, word: &String| {
        before.get(image).is_none_or(|words| !words.contains(word))
    };
    let each = given.iter().map(|(image, words)| {
        let new = words.iter().filter(|word| is_new(image, word));
        new.count()
    });
    let made = Made {
        new: each.sum(),
        ..Made::default()
    };
    if how.apply {
        // It is read from while others write, and written to by nobody else.
        Taken::take(config)?
            .store
            .give_keywords(program.name(), given)?;
    }
    Ok(made)
}

fn decide(given: &Given, store: &Store, how: &How, config: &Config) -> Result<Made> {
    let labels = labels(store, how.set.as_deref())?;
    let decided = store.decisions(&WhichDecisions::default())?;
    let decided: HashMap<_, _> = decided
        .into_iter()
        .map(|decision| {
            (
                (decision.image, decision.set, decision.label),
                decision.verdict,
            )
        })
        .collect();
    let mut made = Made::default();
    let (mut decisions, mut without) = (BTreeSet::new(), BTreeMap::<&str, usize>::new());
    for (image, words) in given {
        for word in words {
            let named = labels.get(&folded(word)).map_or(&[][..], Vec::as_slice);
            if named.is_empty() {
                *without.entry(word).or_default() += 1;
            }
            for (set, shown, label) in named {
                match decided.get(&(*image, set.clone(), label.clone())) {
                    Some(Some(Verdict::Confirmed)) => {}
                    Some(_) => made.contrary += 1,
                    None => {
                        if decisions.insert((*image, set.clone(), label.clone())) {
                            *made.labels.entry(format!("{shown}/{label}")).or_default() += 1;
                        }
                    }
                }
            }
        }
    }
    made.new = decisions.len();
    let mut without: Vec<_> = without.into_iter().collect();
    without.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    made.without_label = without
        .into_iter()
        .take(EXAMPLES)
        .map(|(word, images)| WordCount {
            word: word.to_owned(),
            images,
        })
        .collect();
    if how.apply && !decisions.is_empty() {
        Backend::find(config)?.import_decisions(&lines(decisions)?)?;
    }
    Ok(made)
}

/// How decisions know a label: its set's key, its set's name, and its own.
type Names = (String, String, String);

/// Labels by what they have in common with words.
fn labels(store: &Store, set: Option<&str>) -> Result<HashMap<String, Vec<Names>>> {
    let mut labels: HashMap<String, Vec<Names>> = HashMap::new();
    for named in store.named_labels()? {
        if set.is_none_or(|set| folded(set) == folded(&named.set)) {
            let of_name = labels.entry(folded(&named.label)).or_default();
            of_name.push((named.set_key, named.set, named.label));
        }
    }
    if let Some(set) = set {
        ensure!(!labels.is_empty(), "there is no label set `{set}`");
    }
    Ok(labels)
}

fn lines(decisions: BTreeSet<(ContentHash, String, String)>) -> Result<String> {
    let mut lines = String::new();
    for (image, set, label) in decisions {
        let decision = Decision {
            image,
            set,
            label,
            verdict: Some(Verdict::Confirmed),
            decided_at: None,
        };
        lines += &serde_json::to_string(&decision).context("a decision cannot be written")?;
        lines.push('\n');
    }
    Ok(lines)
}

impl Report {
    fn of(given: &Given, pictures: usize) -> Report {
        Report {
            applied: false,
            pictures,
            found: pictures,
            not_found: Vec::new(),
            not_found_count: 0,
            several: Vec::new(),
            several_count: 0,
            skipped: Vec::new(),
            words: given.values().map(BTreeSet::len).sum(),
            made: Made::default(),
        }
    }

    fn print(mut self, kind: Kind, how: &How) -> Result<()> {
        self.applied = how.apply;
        output::print(&self, how.json, |report| report.tell(kind))
    }

    fn tell(&self, kind: Kind) {
        print_line!(
            "{} pictures have words, {} of them are in the library, with {} words",
            self.pictures,
            self.found,
            self.words
        );
        for (what, paths, count) in [
            ("not in the library", &self.not_found, self.not_found_count),
            ("may be one or another", &self.several, self.several_count),
            ("not read", &self.skipped, self.skipped.len()),
        ] {
            if count > 0 {
                print_line!("{what}: {count}");
                let examples = paths.iter().take(EXAMPLES);
                examples.for_each(|path| print_line!("  {path}"));
            }
        }
        for (label, images) in &self.made.labels {
            print_line!("  {label}: {images}");
        }
        if !self.made.without_label.is_empty() {
            print_line!("no label is called so (a label set makes labels of words):");
            for WordCount { word, images } in &self.made.without_label {
                print_line!("  {word}: {images}");
            }
        }
        if self.made.contrary > 0 {
            let contrary = self.made.contrary;
            print_line!("you decided otherwise about {contrary}: they stay as they are");
        }
        let what = match kind {
            Kind::Keywords => "keywords",
            Kind::Decisions => "decisions",
        };
        let new = self.made.new;
        if self.applied {
            print_line!("{new} new {what} taken over");
        } else {
            print_line!("{new} new {what} would be taken over: --apply does it");
        }
    }
}
