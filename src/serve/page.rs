//! The page that shows the library, as it comes with the program.

use super::answer::Answer;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const STYLE: &str = "text/css; charset=utf-8";

pub(super) fn html() -> Answer {
    Answer::text(HTML, include_str!("ui/index.html"))
}

pub(super) fn script() -> Answer {
    Answer::text(SCRIPT, include_str!("ui/app.js"))
}

pub(super) fn style() -> Answer {
    Answer::text(STYLE, include_str!("ui/style.css"))
}
