//! The page that shows the library, as it comes with the program: files that a browser reads as they are committed.

use std::sync::LazyLock;

use super::answer::{Answer, Cache, Content};
use super::error::ApiError;
use super::request::Request;

pub(super) const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const MANIFEST: &str = "application/manifest+json";
const SVG: &str = "image/svg+xml";

/// A file of the page: its name, its type and what is in it.
type File = (&'static str, &'static str, &'static str);

macro_rules! files {
    ($($media_type:ident: $($name:literal)+;)+) => {
        &[$($(($name, $media_type, include_str!(concat!("ui/", $name))),)+)+]
    };
}

/// All but the HTML.
const FILES: &[File] = files! {
    SCRIPT: "address.js" "api.js" "box.js" "calendar.js" "chips.js" "decide.js" "dom.js" "draft.js" "duplicates.js" "editor.js"
        "facets.js" "facts.js" "grid.js" "images.js" "keys.js" "labels.js" "land.js" "layout.js" "library.js" "lit-html.js" "live.js" "main.js" "map.js"
        "pictures.js" "place.js" "placement.js" "review.js" "selection.js" "text-de.js" "text-en.js" "text.js" "tile.js" "toast.js" "viewer.js" "zoom.js";
    STYLE: "base.css" "pictures.css" "viewer.css" "views.css";
    MANIFEST: "manifest.webmanifest";
    SVG: "icon.svg";
};

/// Their folder: its name is made of all that is in them, so that a browser keeps them for as long as it likes, and never mixes those
/// of two versions.
static FOLDER: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for (name, _, text) in FILES {
        hasher.update(name.as_bytes()).update(text.as_bytes());
    }
    format!("/ui/{}", &hasher.finalize().to_hex()[..16])
});

static INDEX: LazyLock<String> = LazyLock::new(|| with_folder(include_str!("ui/index.html")));

/// A page with the addresses of the files that it names.
pub(super) fn with_folder(html: &str) -> String {
    html.replace("{ui}", &FOLDER)
}

/// Every view is this page: which one is shown, its address says.
pub(super) fn html() -> Answer {
    Answer::text(HTML, &INDEX)
}

/// One of the other files.
pub(super) fn file(request: &Request) -> Result<Answer, ApiError> {
    let wanted = (request.part(0), request.part(1));
    let is_it = |file: &&File| FOLDER.strip_prefix("/ui/") == Some(wanted.0) && file.0 == wanted.1;
    let Some((_, media_type, text)) = FILES.iter().find(is_it) else {
        let message = "the page has no such file: pixdex was updated, load the page again";
        return Err(ApiError::not_found("unknown_file", message));
    };
    Ok(Answer {
        cache: Cache::Forever,
        ..Answer::new(media_type, Content::Bytes(text.as_bytes().into()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use ring::digest::{SHA256, digest};

    use super::*;

    /// A person reads them; what is not ours is as it came.
    const MOST_LINES: usize = 300;

    fn folder() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/ui")
    }

    #[test]
    fn all_files_of_the_page_come_with_the_program_and_are_read_by_people() {
        let entries = fs::read_dir(folder()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_served = |name: &String| {
            let ending = Path::new(name)
                .extension()
                .and_then(|ending| ending.to_str());
            ["js", "css", "svg", "webmanifest"].contains(&ending.unwrap_or_default())
        };
        let there: BTreeSet<String> = names.filter(is_served).collect();
        let known: BTreeSet<String> = FILES.iter().map(|file| file.0.to_owned()).collect();
        assert_eq!(known, there);
        for (name, _, text) in FILES {
            assert!(text.lines().count() <= MOST_LINES, "{name}");
            for import in text.split("from \"./").skip(1) {
                let import = import.split('"').next().unwrap();
                assert!(known.contains(import), "{name}: {import}");
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_as_it_came() {
        let sources = fs::read_to_string(folder().join("SOURCES.md")).unwrap();
        let (_, _, lit) = FILES.iter().find(|file| file.0 == "lit-html.js").unwrap();
        let sum = format!("{:?}", digest(&SHA256, lit.as_bytes()));
        let sum = sum.split(':').next_back().unwrap();
        assert!(sources.contains(sum), "{sum}");
    }
}
