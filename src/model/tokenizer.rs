//! `tokenizer.json`, or `vocab.json` and `merges.txt` → a tokenizer that gives the ids that the text tower was trained on.

use std::str;

use serde_json::{Value, json};
use tokenizers::{
    NormalizerWrapper, PaddingDirection, PaddingParams, PaddingStrategy, Tokenizer,
    TruncationParams,
    models::ModelWrapper,
    normalizers::{Lowercase, Replace, Sequence, Strip, replace::ReplacePattern},
    processors::template::TemplateProcessing,
};

use super::{
    ModelError,
    family::Texts,
    parts::{Part, TokenizerParts},
    shape::{TextShape, UNSAID_EOS},
};

const START_OF_TEXT: &str = "<|startoftext|>";
const END_OF_TEXT: &str = "<|endoftext|>";

/// What is done to a text before it is taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cleaning {
    /// Whether letters become small.
    pub(super) lowers: bool,
    /// Whether ASCII's punctuation is taken out, and what an underscore then becomes.
    pub(super) underscore: Option<&'static str>,
    /// Whether several spaces become one, and none is left at either end.
    pub(super) collapses_spaces: bool,
}

/// What `SigLIP` puts behind its texts, which depends on who made the vocabulary.
struct Filling {
    cleaning: Cleaning,
    end: &'static str,
    filled_with: &'static str,
}

/// Builds the tokenizer, and corrects `text.eos_token_id` where the model's configuration is known to be wrong. `cleaning` is what
/// the configuration says of it.
pub(super) fn build(
    parts: &TokenizerParts,
    texts: Texts,
    cleaning: Option<Cleaning>,
    text: &mut TextShape,
) -> Result<Tokenizer, ModelError> {
    let (file, tokenizer) = match parts {
        TokenizerParts::Whole(file) => (file, Tokenizer::from_bytes(&file.bytes)),
        TokenizerParts::Split { vocab, merges } => (vocab, from_value(whole(vocab, merges)?)),
    };
    let mut tokenizer = tokenizer.map_err(|error| file.invalid(&error))?;
    set_up(&mut tokenizer, texts, cleaning, text).map_err(|reason| file.invalid(&reason))?;
    Ok(tokenizer)
}

fn from_value(tokenizer: Value) -> tokenizers::Result<Tokenizer> {
    Ok(serde_json::from_value(tokenizer)?)
}

fn set_up(
    tokenizer: &mut Tokenizer,
    texts: Texts,
    cleaning: Option<Cleaning>,
    text: &mut TextShape,
) -> Result<(), String> {
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|error| error.to_string())?;
    // A user who types `<|endoftext|>` means those characters: as a special token they would move the pooled position.
    tokenizer.set_encode_special_tokens(true);
    let filling = (texts == Texts::Filled).then(|| Filling::of(tokenizer));
    if let Some(filling) = &filling {
        end_with(tokenizer, filling.end)?;
        clean(tokenizer, cleaning.unwrap_or(filling.cleaning))?;
        // Its configurations speak of another vocabulary's.
        text.eos_token_id = id(tokenizer, filling.end)?;
    }
    let empty = tokenizer
        .encode_fast("", true)
        .map_err(|error| error.to_string())?;
    check_ids(tokenizer, empty.get_ids(), text)?;
    // Truncation makes room for the start and end of text, so both stay.
    let truncation = TruncationParams {
        max_length: text.context_length,
        ..TruncationParams::default()
    };
    tokenizer
        .with_truncation(Some(truncation))
        .map_err(|error| error.to_string())?;
    if let Some(filling) = filling {
        let pad_id = id(tokenizer, filling.filled_with)?;
        tokenizer.with_padding(Some(PaddingParams {
            strategy: PaddingStrategy::Fixed(text.context_length),
            direction: PaddingDirection::Right,
            pad_id,
            pad_token: filling.filled_with.to_owned(),
            ..PaddingParams::default()
        }));
    }
    Ok(())
}

impl Filling {
    /// The first generation has a unigram vocabulary of T5's and reads no punctuation, the second one Gemma's.
    fn of(tokenizer: &Tokenizer) -> Filling {
        let is_unigram = matches!(tokenizer.get_model(), ModelWrapper::Unigram(_));
        if is_unigram {
            return Filling {
                cleaning: Cleaning {
                    lowers: true,
                    underscore: Some(""),
                    collapses_spaces: true,
                },
                end: "</s>",
                filled_with: "</s>",
            };
        }
        Filling {
            cleaning: Cleaning {
                lowers: true,
                ..Cleaning::default()
            },
            end: "<eos>",
            filled_with: "<pad>",
        }
    }
}

fn id(tokenizer: &Tokenizer, token: &str) -> Result<u32, String> {
    let id = tokenizer.token_to_id(token);
    id.ok_or_else(|| format!("it has no `{token}`"))
}

/// Puts nothing around a text but its end.
fn end_with(tokenizer: &mut Tokenizer, end: &str) -> Result<(), String> {
    let processor = TemplateProcessing::builder()
        .try_single(format!("$A {end}"))?
        .special_tokens(vec![(end, id(tokenizer, end)?)])
        .build()
        .map_err(|error| error.to_string())?;
    tokenizer.with_post_processor(Some(processor));
    Ok(())
}

/// Puts the cleaning before what the tokenizer does itself.
fn clean(tokenizer: &mut Tokenizer, cleaning: Cleaning) -> Result<(), String> {
    let replace = |pattern: ReplacePattern, content: &str| {
        Replace::new(pattern, content)
            .map(NormalizerWrapper::Replace)
            .map_err(|error| error.to_string())
    };
    let regex = |pattern: &str| ReplacePattern::Regex(pattern.to_owned());
    let mut steps = Vec::new();
    if cleaning.lowers {
        steps.push(NormalizerWrapper::Lowercase(Lowercase));
    }
    if let Some(underscore) = cleaning.underscore {
        steps.push(replace(ReplacePattern::String("_".to_owned()), underscore)?);
        steps.push(replace(regex(r"[!-/:-@\[-`{-~]"), "")?);
    }
    if cleaning.collapses_spaces {
        steps.push(replace(regex(r"\s+"), " ")?);
        steps.push(NormalizerWrapper::StripNormalizer(Strip::new(true, true)));
    }
    steps.extend(tokenizer.get_normalizer().cloned());
    tokenizer
        .with_normalizer(Some(Sequence::new(steps)))
        .map(drop)
        .map_err(|error| error.to_string())
}

/// `empty` are the ids of an empty text: what the tokenizer puts around every text.
fn check_ids(tokenizer: &Tokenizer, empty: &[u32], text: &mut TextShape) -> Result<(), String> {
    let Some(&end) = empty.last() else {
        return Err("it does not put an end of text behind each text".to_owned());
    };
    if text.eos_token_id == UNSAID_EOS {
        text.eos_token_id = end;
    }
    if text.eos_token_id != end {
        return Err(format!(
            "it ends texts with `{end}`, but `config.json` says `eos_token_id` `{}`",
            text.eos_token_id
        ));
    }
    if empty.len() >= text.context_length {
        return Err(format!(
            "`max_position_embeddings` `{}` leaves no room for a text",
            text.context_length
        ));
    }
    match tokenizer.get_vocab(true).into_values().max() {
        Some(highest) if highest as usize >= text.vocab_size => Err(format!(
            "it has the id `{highest}`, but `config.json` says `vocab_size` `{}`",
            text.vocab_size
        )),
        _ => Ok(()),
    }
}

/// The `tokenizer.json` of every CLIP model, around the given vocabulary.
fn whole(vocab: &Part, merges: &Part) -> Result<Value, ModelError> {
    let ids: Value = vocab.json()?;
    let start = special(vocab, &ids, START_OF_TEXT)?;
    let end = special(vocab, &ids, END_OF_TEXT)?;
    let merges: Vec<&str> = merge_lines(merges)?;
    Ok(json!({
        "version": "1.0",
        "added_tokens": [added(&start, START_OF_TEXT, true), added(&end, END_OF_TEXT, false)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "behavior": "Removed", "invert": true, "pattern": {
                "Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
            }},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "post_processor": {
            "type": "RobertaProcessing", "trim_offsets": false, "add_prefix_space": false,
            "cls": [START_OF_TEXT, start], "sep": [END_OF_TEXT, end],
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "unk_token": END_OF_TEXT, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "fuse_unk": false, "vocab": ids, "merges": merges,
        },
    }))
}

fn special(vocab: &Part, ids: &Value, token: &str) -> Result<Value, ModelError> {
    ids.get(token)
        .cloned()
        .ok_or_else(|| vocab.invalid(&format!("it has no `{token}`")))
}

fn added(id: &Value, content: &str, normalized: bool) -> Value {
    json!({
        "id": id, "content": content, "normalized": normalized, "special": true,
        "single_word": false, "lstrip": false, "rstrip": false,
    })
}

/// One merge a line, after a line that says the version.
fn merge_lines(merges: &Part) -> Result<Vec<&str>, ModelError> {
    let text = str::from_utf8(&merges.bytes).map_err(|error| merges.invalid(&error))?;
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("#version"));
    let lines: Vec<&str> = lines.collect();
    match lines.iter().find(|line| line.split(' ').count() != 2) {
        Some(line) => Err(merges.invalid(&format!("`{line}` is not a merge"))),
        None => Ok(lines),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::kernels::Activation;
    use crate::model::shape::TowerShape;

    const TOKENIZER: &[u8] = include_bytes!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/parity/tokenizer/tokenizer.json"
    ));
    const CASES: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/parity/tokenizer/token_cases.json"
    ));

    fn text(eos_token_id: u32) -> TextShape {
        let tower = TowerShape {
            width: 1,
            layers: 1,
            heads: 1,
            intermediate: 1,
            activation: Activation::Gelu,
            layer_norm_eps: 1e-5,
        };
        TextShape {
            tower,
            vocab_size: 49_408,
            context_length: 77,
            eos_token_id,
        }
    }

    fn build(parts: &TokenizerParts, text: &mut TextShape) -> Result<Tokenizer, ModelError> {
        super::build(parts, Texts::Ended, None, text)
    }

    fn whole_parts() -> TokenizerParts {
        TokenizerParts::Whole(Part::from_static("tokenizer.json", TOKENIZER))
    }

    /// `vocab.json` and `merges.txt` as they were before they became a `tokenizer.json`.
    fn split_parts() -> TokenizerParts {
        let tokenizer: Value = serde_json::from_slice(TOKENIZER).unwrap();
        let mut merges = "#version: 0.2\n".to_owned();
        for pair in tokenizer["model"]["merges"].as_array().unwrap() {
            writeln!(
                merges,
                "{} {}",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )
            .unwrap();
        }
        let vocab = tokenizer["model"]["vocab"].to_string();
        let part = |name: &str, text: String| Part {
            name: name.to_owned(),
            bytes: text.into_bytes().into(),
        };
        TokenizerParts::Split {
            vocab: part("vocab.json", vocab),
            merges: part("merges.txt", merges),
        }
    }

    fn ids(tokenizer: &Tokenizer, text: &str) -> Vec<u32> {
        tokenizer
            .encode_fast(text, true)
            .unwrap()
            .get_ids()
            .to_vec()
    }

    #[test]
    fn both_layouts_give_openais_ids() {
        let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
        for parts in [whole_parts(), split_parts()] {
            let tokenizer = build(&parts, &mut text(49_407)).unwrap();
            for case in &cases {
                let expected: Vec<u32> = serde_json::from_value(case["input_ids"].clone()).unwrap();
                assert_eq!(
                    ids(&tokenizer, case["text"].as_str().unwrap()),
                    expected,
                    "{}",
                    case["text"]
                );
            }
        }
    }

    #[test]
    fn typed_special_tokens_are_plain_text_in_both_layouts() {
        let [whole, split] =
            [whole_parts(), split_parts()].map(|parts| build(&parts, &mut text(49_407)).unwrap());
        for typed in [
            "a <|endoftext|> b",
            "<|startoftext|>",
            "<|ENDOFTEXT|>",
            "<|endoftext|><|endoftext|>",
        ] {
            let found = ids(&whole, typed);
            assert_eq!(found, ids(&split, typed));
            let inside = &found[1..found.len() - 1];
            assert!(
                !inside.is_empty() && inside.iter().all(|&id| id < 49_406),
                "{typed}: {found:?}"
            );
        }
    }

    #[test]
    fn accents_written_apart_are_joined_in_both_layouts() {
        for parts in [whole_parts(), split_parts()] {
            let tokenizer = build(&parts, &mut text(49_407)).unwrap();
            assert_eq!(ids(&tokenizer, "cafe\u{301}"), ids(&tokenizer, "caf\u{e9}"));
        }
    }

    #[test]
    fn long_texts_keep_their_end() {
        let mut text = text(49_407);
        text.context_length = 8;
        let found = ids(
            &build(&whole_parts(), &mut text).unwrap(),
            &"dog ".repeat(200),
        );
        assert_eq!((found.len(), found[0], found[7]), (8, 49_406, 49_407));
    }

    #[test]
    fn the_old_wrong_end_of_text_is_corrected() {
        let mut text = text(UNSAID_EOS);
        build(&whole_parts(), &mut text).unwrap();
        assert_eq!(text.eos_token_id, 49_407);
    }

    #[test]
    fn refuses_a_tokenizer_of_another_model() {
        let too_small = TextShape {
            vocab_size: 1000,
            ..text(49_407)
        };
        let too_short = TextShape {
            context_length: 2,
            ..text(49_407)
        };
        let cases = [
            (text(7), "`eos_token_id` `7`"),
            (too_small, "`vocab_size` `1000`"),
            (too_short, "no room"),
        ];
        for (mut text, expected) in cases {
            let error = build(&whole_parts(), &mut text).unwrap_err().to_string();
            assert!(
                error.contains(expected) && error.contains("`tokenizer.json`"),
                "{error}"
            );
        }
    }

    #[test]
    fn refuses_damaged_files_by_name() {
        let vocab = || {
            Part::from_static(
                "vocab.json",
                br#"{"<|startoftext|>": 0, "<|endoftext|>": 1, "a": 2}"#,
            )
        };
        let merges = |bytes| Part::from_static("merges.txt", bytes);
        let cases = [
            (
                Part::from_static("vocab.json", b"{}"),
                merges(b"".as_slice()),
                "`vocab.json`: it has no `<|startoftext|>`",
            ),
            (vocab(), merges(b"a b c"), "`merges.txt`: `a b c`"),
            (vocab(), merges(b"\xff"), "`merges.txt`"),
            (vocab(), merges(b"a q"), "`vocab.json`"),
        ];
        for (vocab, merges, expected) in cases {
            let error = build(&TokenizerParts::Split { vocab, merges }, &mut text(1))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
