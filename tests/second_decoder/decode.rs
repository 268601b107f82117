//! Decodes each file that is named on a line of its input, and writes its pixels to the PPM that is named behind a tab: for
//! `compare.py`, which asks a second decoder for the same.

use std::io::{self, Write};

use anyhow::{Context, Result};
use pixdex::config::{Config, DecodeConfig};
use pixdex::decode::{self, DecodeError, Purpose};

fn main() -> Result<()> {
    let limits = Config::load(None, std::iter::empty(), vec![])?.decode;
    for line in io::stdin().lines() {
        let line = line?;
        let (file, out) = line.split_once('\t').context("a file, a tab and a file")?;
        match decoded(&std::fs::read(file)?, &limits) {
            Ok(picture) => {
                let head = format!("P6 {} {} 255\n", picture.width(), picture.height());
                std::fs::write(out, [head.as_bytes(), picture.as_raw()].concat())?;
                println!("ok");
            }
            Err(error) => println!("{error}"),
        }
        io::stdout().flush()?;
    }
    Ok(())
}

fn decoded(bytes: &[u8], limits: &DecodeConfig) -> Result<image::RgbImage, DecodeError> {
    let (_, encoded) = decode::open(bytes, limits)?;
    encoded.for_purpose(Purpose::Showing).whole()
}
