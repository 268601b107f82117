//! How long a text may be: models read some 77 tokens, and all of a text is taken apart before its end is cut off.

use thiserror::Error;

/// Far more than any model reads, and little enough to be taken apart in no time.
pub const MOST_CHARACTERS: usize = 2000;

/// A text that is too long to be embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a description has at most {MOST_CHARACTERS} characters, and this one has {characters}")]
pub struct TooLong {
    /// That it has.
    pub characters: usize,
}

/// Whether a text may be embedded.
pub fn check_text(text: &str) -> Result<(), TooLong> {
    match text.chars().count() {
        characters if characters > MOST_CHARACTERS => Err(TooLong { characters }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_one_of_characters() {
        assert_eq!(check_text(&"ü".repeat(MOST_CHARACTERS)), Ok(()));
        let error = check_text(&"猫".repeat(MOST_CHARACTERS + 1)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("at most 2000 characters, and this one has 2001")
        );
    }
}
