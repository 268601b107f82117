//! Text as it is shown to people: what would command a terminal, or pass for another line, is written out, and a reason is told
//! once. Answers in JSON stay exact and need none of this.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;

/// The text with every character that is an order and no letter written out: `\n`, `\u{1b}`.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains(is_order) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            // Writing into a text cannot fail.
            c if is_order(c) => drop(write!(shown, "\\u{{{:x}}}", u32::from(c))),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Control characters but the tab, those that end a line, and those that turn the direction of writing. Characters that join letters, as in
/// many scripts and emoji, are none.
fn is_order(c: char) -> bool {
    c.is_control() && c != '\t'
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// An error with its causes, each told once: many an error tells its cause itself.
pub(crate) fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let of_cause = cause.to_string();
        if !text.contains(&of_cause) {
            text = format!("{text}: {of_cause}");
        }
        next = cause.source();
    }
    text
}

/// What is wrong with a text in TOML, in one line with its place.
pub(crate) fn toml_error_text(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim().replace('\n', ", ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message;
    };
    let line = before.matches('\n').count() + 1;
    let start = before.rsplit('\n').next().unwrap_or_default();
    let column = start.chars().count() + 1;
    format!("line {line}, column {column}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, expected) in [
            ("a\nb\rc", r"a\nb\rc"),
            ("\u{1b}[31mred\u{7}\u{7f}", r"\u{1b}[31mred\u{7}\u{7f}"),
            ("c1 \u{9b}31m\u{85}", r"c1 \u{9b}31m\u{85}"),
            (
                "\u{202e}gpj.exe\u{2066}\u{200f}",
                r"\u{202e}gpj.exe\u{2066}\u{200f}",
            ),
            ("\u{2028}", r"\u{2028}"),
            ("a\0b", r"a\u{0}b"),
        ] {
            assert_eq!(shown(text), expected);
        }
        // Not in the way of names as people have them.
        for name in [
            "Ünïcode",
            r"C:\new",
            "猫 🐈‍⬛",
            "שלום",
            "a\u{200d}b",
            "cafe\u{301}",
        ] {
            assert!(matches!(shown(name), Cow::Borrowed(_)), "{name}");
        }
    }

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the model failed: {source}")]
        struct TellsItsCause {
            source: std::io::Error,
        }
        let error = || TellsItsCause {
            source: std::io::Error::other("no room"),
        };
        assert_eq!(error_text(&error()), "the model failed: no room");
        let wrapped = anyhow::Error::from(error()).context("nothing of `a` was read");
        assert_eq!(
            error_text(wrapped.as_ref()),
            "nothing of `a` was read: the model failed: no room"
        );
    }
}
