//! Takes each video that is named on a line of its input apart, and writes its frames as PPMs, named by their times, into the
//! folder that is named behind a tab: for `compare_video.py`, which asks a second decoder for the same.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use pixdex::config::{Config, DecodeConfig};
use pixdex::decode::{self, Metadata};

/// As many as are asked for of any video.
const MOST_FRAMES: usize = 16;

fn main() -> Result<()> {
    let limits = Config::load(None, std::iter::empty(), vec![])?.decode;
    for line in io::stdin().lines() {
        let line = line?;
        let (file, out) = line
            .split_once('\t')
            .context("a file, a tab and a folder")?;
        match frames(Path::new(file), Path::new(out), &limits) {
            Ok(metadata) => println!("{}", serde_json::to_string(&metadata)?),
            Err(error) => println!("{error:#}"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

fn frames(file: &Path, out: &Path, limits: &DecodeConfig) -> Result<Metadata> {
    let mut file = File::open(file)?;
    let len = file.metadata()?.len();
    let (description, video) = decode::open_video(&mut file, len, limits)?;
    for moment in video.moments(MOST_FRAMES) {
        let frame = video.frame(&mut file, &moment)?;
        let head = format!("P6 {} {} 255\n", frame.width(), frame.height());
        let path = out.join(format!("{}.ppm", moment.time_ms()));
        std::fs::write(path, [head.as_bytes(), frame.as_raw()].concat())?;
    }
    Ok(description.metadata)
}
