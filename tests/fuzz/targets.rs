//! All fuzz targets in one program; `PIXDEX_FUZZ_TARGET` names the one that is fed. `run` beside this builds and runs them.

#![no_main]

#[path = "../memory/counting.rs"]
mod counting;
mod picture;
mod video;

use std::panic::{self, PanicHookInfo};
use std::process::exit;
use std::sync::OnceLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use pixdex::formats::Format;
use pixdex::fuzz;

/// What is fed, and whether the code takes a panic of a decoder as it takes any damage.
type Target = (fn(&[u8]) -> Corpus, bool);

macro_rules! target {
    ($name:ident) => {
        (|bytes| fuzz::$name(bytes).into(), false)
    };
}

static TARGET: OnceLock<Target> = OnceLock::new();

fn target(name: &str) -> Option<Target> {
    Some(match name {
        "jpeg" => (|bytes| picture::check(bytes, Format::Jpeg), true),
        "png" => (|bytes| picture::check(bytes, Format::Png), true),
        "webp" => (|bytes| picture::check(bytes, Format::WebP), true),
        "gif" => (|bytes| picture::check(bytes, Format::Gif), true),
        "bmp" => (|bytes| picture::check(bytes, Format::Bmp), true),
        "raw" => (|bytes| picture::check(bytes, Format::Raw), true),
        "tiff" => (|bytes| picture::check(bytes, Format::Tiff), true),
        "heic" => (|bytes| picture::check(bytes, Format::Heic), true),
        "avif" => (|bytes| picture::check(bytes, Format::Avif), true),
        "jxl" => (|bytes| picture::check(bytes, Format::Jxl), true),
        "mp4" => (|bytes| video::check(bytes, [Format::Mp4, Format::Mov]), true),
        "mkv" => (|bytes| video::check(bytes, [Format::Mkv, Format::Webm]), true),
        "exif" => (|bytes| fuzz::exif(bytes).into(), true),
        "keywords" => (|bytes| fuzz::keywords(bytes).into(), true),
        "address" => target!(address),
        "config" => target!(config),
        "cursor" => target!(cursor),
        "decisions" => target!(decisions),
        "filter" => target!(filter),
        "label-set" => target!(label_set),
        "names" => target!(names),
        "query" => target!(query),
        "request" => target!(request),
        "segment" => target!(segment),
        "sidecar" => target!(sidecar),
        "tokens" => target!(tokens),
        "vectors" => target!(vectors),
        _ => return None,
    })
}

fn begin() {
    let name = std::env::var("PIXDEX_FUZZ_TARGET").unwrap_or_default();
    let Some(target) = target(&name) else {
        eprintln!("PIXDEX_FUZZ_TARGET names no target: `{name}`");
        exit(2);
    };
    let _ = TARGET.set(target);
    if target.1 {
        forgive_dependencies();
    }
}

/// A panic in a decoder is caught by the code, and is no find; one in pixdex itself is.
fn forgive_dependencies() {
    let end = panic::take_hook();
    let is_theirs = |panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(|place| place.file());
        place.is_some_and(|file| file.contains("/registry/"))
    };
    panic::set_hook(Box::new(move |panic| {
        if !is_theirs(panic) {
            end(panic);
        }
    }));
}

fuzz_target!(init: begin(), |bytes: &[u8]| -> Corpus {
    TARGET.get().map_or(Corpus::Reject, |(target, _)| target(bytes))
});
