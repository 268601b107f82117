//! A label set's signature: a hash of all that changes which images get its labels, and with which scores.

use std::collections::BTreeMap;

use serde::Serialize;

use super::learned;
use super::set::{Label, LabelSet, Mode, Scoring};
use crate::store::{ContentHash, LabelName};

/// Goes up when the same input comes to be scored in another way: every set is then scored again.
const VERSION: u32 = 1;

/// What a set learns from: how many images the library had, and the content of its examples by the label's place.
#[derive(Debug, Default)]
pub(super) struct LearnsFrom {
    pub(super) images: usize,
    pub(super) examples: BTreeMap<usize, Vec<ContentHash>>,
}

/// What a set is scored by, as it counts and not as it is written: prompts are filled in, thresholds are each label's own.
///
/// A field that comes later must be left out while it has no effect, or all libraries are scored again for nothing.
#[derive(Debug, Serialize)]
struct ScoringInput<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    mode: Mode,
    #[serde(skip_serializing_if = "is_default")]
    scoring: Scoring,
    background: &'a [String],
    labels: Vec<LabelInput<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learns_from: Option<LearningInput>,
}

#[derive(Debug, Serialize)]
struct LabelInput<'a> {
    name: &'a LabelName,
    prompts: Vec<String>,
    threshold: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    negative: Vec<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a LabelName>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    examples: &'a [ContentHash],
}

/// What was learned in another form cannot be read, and is learned again.
#[derive(Debug, Serialize)]
struct LearningInput {
    images: usize,
    form: i64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The same signature, the same tags.
pub(super) fn signature(
    set: &LabelSet,
    model_fingerprint: &str,
    learns_from: Option<&LearnsFrom>,
) -> Result<String, serde_json::Error> {
    hash(&input(set, model_fingerprint, learns_from))
}

fn hash(input: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut hasher = blake3::Hasher::new();
    serde_json::to_writer(&mut hasher, input)?;
    Ok(format!("{VERSION}-{}", &hasher.finalize().to_hex()[..32]))
}

fn input<'a>(
    set: &'a LabelSet,
    model: &'a str,
    learns_from: Option<&'a LearnsFrom>,
) -> ScoringInput<'a> {
    let examples = |place| Some(learns_from?.examples.get(&place)?.as_slice());
    let label = |(place, label): (usize, &'a Label)| LabelInput {
        name: &label.name,
        prompts: set.prompts(label),
        threshold: set.threshold_of(label),
        negative: set.negative_prompts(label),
        parent: label.parent.as_ref(),
        examples: examples(place).unwrap_or_default(),
    };
    let mut labels: Vec<LabelInput> = set.labels.iter().enumerate().map(label).collect();
    // In an exclusive set labels are added up in their order, and of equal ones the last wins; others know nothing of each other.
    if set.mode == Mode::Independent {
        labels.sort_by_key(|label| label.name);
    }
    ScoringInput {
        model,
        mode: set.mode,
        scoring: set.scoring,
        background: &set.background,
        labels,
        learns_from: learns_from.map(|from| LearningInput {
            images: from.images,
            form: learned::VERSION,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'";

    fn of(text: &str) -> String {
        signature(&LabelSet::parse(text).unwrap(), "m", None).unwrap()
    }

    #[test]
    fn a_release_that_scores_alike_gives_the_same_signature() {
        let every_field = "mode = 'exclusive'\nscoring = 'library'\nthreshold = 0.7\ntemplates = ['a {label}']\n\
             background = ['z']\n[[labels]]\nname = 'a'\nprompts = ['x']\nnegative = ['y']\nparent = 'b'\n\
             [[labels]]\nname = 'b'\nthreshold = 0.5";
        let found = [of(PLAIN), of(every_field)];
        assert_eq!(
            found,
            [
                "1-b45fb6a24b4111a9089db4d69cda2fa5",
                "1-0fc4b92b1c701c0f90f1dabc9047e3b0"
            ]
        );
    }

    #[test]
    fn a_field_that_is_added_with_its_default_changes_no_signature() {
        #[derive(Serialize)]
        struct Later<'a> {
            #[serde(flatten)]
            input: ScoringInput<'a>,
            #[serde(skip_serializing_if = "is_default")]
            added: u32,
        }
        let set = LabelSet::parse(PLAIN).unwrap();
        let later = |added| {
            let input = input(&set, "m", None);
            hash(&Later { input, added }).unwrap()
        };
        assert_eq!(later(0), of(PLAIN));
        assert_ne!(later(1), of(PLAIN));
    }

    #[test]
    fn what_changes_no_score_changes_no_signature() {
        for same in [
            "# A comment.\n[[labels]]\nname = \"a\"\n[[labels]]\nname = 'b'",
            "id = 'x'\non_tag = 'x'\n[[labels]]\nname = 'a'\non_tag = ['y', 'z']\n[[labels]]\nname = 'b'",
            "mode = 'independent'\nscoring = 'probability'\nthreshold = 0.6\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'",
            "threshold = 0.9\n[[labels]]\nname = 'a'\nthreshold = 0.6\n[[labels]]\nname = 'b'\nthreshold = 0.6",
            "[[labels]]\nname = 'b'\nprompts = ['b']\n[[labels]]\nname = 'a'\nprompts = []\nnegative = []",
            // Nothing is learned before there is something to learn from.
            "[[labels]]\nname = 'a'\nlearn = true\n[[labels]]\nname = 'b'\nexamples = ['x.jpg']",
        ] {
            assert_eq!(of(same), of(PLAIN), "{same}");
        }
    }

    #[test]
    fn whatever_changes_a_score_changes_the_signature() {
        let set = LabelSet::parse(PLAIN).unwrap();
        let learns = |images, examples: &[(usize, u8)]| {
            let hashes = |&(label, seed): &(usize, u8)| (label, vec![ContentHash([seed; 32])]);
            let examples = examples.iter().map(hashes).collect();
            signature(&set, "m", Some(&LearnsFrom { images, examples })).unwrap()
        };
        let mut all = vec![
            of(PLAIN),
            signature(&set, "n", None).unwrap(),
            learns(20, &[]),
            learns(40, &[]),
            learns(20, &[(0, 1)]),
            learns(20, &[(1, 1)]),
            learns(20, &[(0, 2)]),
        ];
        let other = [
            "mode = 'exclusive'\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'",
            "mode = 'exclusive'\n[[labels]]\nname = 'b'\n[[labels]]\nname = 'a'",
            "scoring = 'library'\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'",
            "threshold = 0.7\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'",
            "templates = ['{label}']\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'",
            "background = ['x']\n[[labels]]\nname = 'a'\n[[labels]]\nname = 'b'",
            "[[labels]]\nname = 'a'",
            "[[labels]]\nname = 'a'\nthreshold = 0.7\n[[labels]]\nname = 'b'",
            "[[labels]]\nname = 'a'\nprompts = ['x']\n[[labels]]\nname = 'b'",
            "[[labels]]\nname = 'a'\nnegative = ['x']\n[[labels]]\nname = 'b'",
            "[[labels]]\nname = 'a'\nparent = 'b'\n[[labels]]\nname = 'b'",
        ];
        all.extend(other.map(of));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
