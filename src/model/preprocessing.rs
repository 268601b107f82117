//! `preprocessor_config.json` → what is done to a picture before the image tower, as Hugging Face's own processor reads
//! it: what the file leaves out is the family's default. The file itself must be there, as it must for Hugging Face: a model's
//! mean and deviation cannot be guessed.

use serde::Deserialize;
use serde_json::Value;

use super::{ModelError, parts::Part};

/// The steps, in this order: resize, centre crop, rescale, normalise. Pictures are always converted to RGB first.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    /// The size to resize to; `None` leaves the picture as it is.
    pub resize: Option<Resize>,
    /// How to resize.
    pub filter: Filter,
    /// The part to cut out of the middle; a picture that is smaller gets a black border. `None` keeps all of it.
    pub crop: Option<PictureSize>,
    /// Where the middle is when it falls between two pixels.
    pub middle: Middle,
    /// What each value from 0 to 255 is multiplied by; 1 where the model does not rescale.
    pub rescale_factor: f32,
    /// Subtracted per channel after rescaling; 0 where the model does not normalise.
    pub image_mean: [f32; 3],
    /// Divided by per channel after that; 1 where the model does not normalise.
    pub image_std: [f32; 3],
}

/// The two ways to say a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resize {
    /// The shorter side gets this many pixels, the other keeps the proportion.
    ShortestEdge(usize),
    /// Both sides are given, whatever the proportion.
    Exact(PictureSize),
}

/// A height and a width in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PictureSize {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// How half a pixel beside a crop is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Middle {
    /// Down, as Hugging Face's processors do it.
    Down,
    /// To the even one, as torchvision does it, which `open_clip` uses.
    Even,
}

/// The resampling filters, both with antialias as Pillow has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Catmull-Rom with a = -0.5.
    Bicubic,
    /// Triangle.
    Bilinear,
}

/// Whose settings a file holds.
#[derive(Debug, PartialEq)]
pub(super) struct ImageProcessor {
    /// What the names of its classes begin with.
    pub(super) name_start: &'static str,
    /// What is done to a picture where the file says nothing else.
    pub(super) defaults: Preprocessing,
}

impl Preprocessing {
    /// Reads the file and checks that its pictures come out in the image tower's size.
    pub(super) fn parse(
        file: &Part,
        processor: &ImageProcessor,
        image_size: usize,
    ) -> Result<Self, ModelError> {
        let mut value: Value = file.json()?;
        // Files saved by transformers 5 hold the image processor beside the tokenizer's settings.
        let nested = value.get_mut("image_processor").map(Value::take);
        let raw: RawPreprocessing = serde_json::from_value(nested.unwrap_or(value))
            .map_err(|error| file.invalid(&error))?;
        let parsed = raw
            .check_type(processor.name_start)
            .and_then(|()| raw.preprocessing(&processor.defaults))
            .and_then(|parsed| parsed.check(image_size).map(|()| parsed));
        parsed.map_err(|reason| file.invalid(&reason))
    }

    /// Nothing at all.
    pub(crate) fn none() -> Preprocessing {
        Preprocessing {
            resize: None,
            filter: Filter::Bicubic,
            crop: None,
            middle: Middle::Down,
            rescale_factor: 1.0,
            image_mean: [0.0; 3],
            image_std: [1.0; 3],
        }
    }

    /// Whether pictures come out in the image tower's size.
    pub(super) fn check(&self, image_size: usize) -> Result<(), String> {
        let wanted = PictureSize {
            height: image_size,
            width: image_size,
        };
        let found = match (self.crop, self.resize) {
            (Some(crop), _) => crop,
            (None, Some(Resize::Exact(size))) => size,
            (None, _) => {
                return Err("neither `crop_size` nor `size` gives pictures one size".to_owned());
            }
        };
        if found != wanted {
            let PictureSize { height, width } = found;
            return Err(format!(
                "it makes pictures of {width}x{height}, but the image tower's `image_size` is `{image_size}`"
            ));
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct RawPreprocessing {
    image_processor_type: Option<String>,
    feature_extractor_type: Option<String>,
    do_resize: Option<bool>,
    size: Option<RawSize>,
    resample: Option<u8>,
    do_center_crop: Option<bool>,
    crop_size: Option<RawSize>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f32>,
    do_normalize: Option<bool>,
    image_mean: Option<[f32; 3]>,
    image_std: Option<[f32; 3]>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a size must be a number, `shortest_edge`, or `height` and `width`"
)]
enum RawSize {
    Number(usize),
    Both(PictureSize),
    Shortest(ShortestEdge),
}

/// `longest_edge` beside it would bound the other side, so it is not overlooked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShortestEdge {
    shortest_edge: usize,
}

impl RawPreprocessing {
    fn preprocessing(&self, defaults: &Preprocessing) -> Result<Preprocessing, String> {
        let (image_mean, image_std) = self.normalization(defaults)?;
        Ok(Preprocessing {
            resize: self.resize(defaults.resize)?,
            filter: self.resample.map_or(Ok(defaults.filter), filter)?,
            crop: self.crop(defaults.crop)?,
            middle: defaults.middle,
            rescale_factor: self.rescale_factor(defaults.rescale_factor),
            image_mean,
            image_std,
        })
    }

    /// Other processors have other defaults (`ViTImageProcessor` another mean), so their files mean something else.
    fn check_type(&self, name_start: &str) -> Result<(), String> {
        match self
            .image_processor_type
            .as_ref()
            .or(self.feature_extractor_type.as_ref())
        {
            Some(name) if !name.starts_with(name_start) => Err(format!(
                "`image_processor_type` `{name}` is not supported, only `{name_start}ImageProcessor` is"
            )),
            _ => Ok(()),
        }
    }

    fn resize(&self, default: Option<Resize>) -> Result<Option<Resize>, String> {
        if !self.do_resize.unwrap_or(default.is_some()) {
            return Ok(None);
        }
        let resize = match &self.size {
            None => return Ok(default),
            Some(
                RawSize::Number(edge)
                | RawSize::Shortest(ShortestEdge {
                    shortest_edge: edge,
                }),
            ) => Resize::ShortestEdge(*edge),
            Some(RawSize::Both(size)) => Resize::Exact(*size),
        };
        match resize {
            Resize::ShortestEdge(0) => Err("`size` is `0`".to_owned()),
            _ => Ok(Some(resize)),
        }
    }

    fn crop(&self, default: Option<PictureSize>) -> Result<Option<PictureSize>, String> {
        if !self.do_center_crop.unwrap_or(default.is_some()) {
            return Ok(None);
        }
        match &self.crop_size {
            None => Ok(default),
            Some(RawSize::Number(side)) => Ok(Some(PictureSize {
                height: *side,
                width: *side,
            })),
            Some(RawSize::Both(size)) => Ok(Some(*size)),
            Some(RawSize::Shortest(_)) => Err("`crop_size` needs `height` and `width`".to_owned()),
        }
    }

    fn rescale_factor(&self, default: f32) -> f32 {
        if self.do_rescale.unwrap_or(true) {
            self.rescale_factor.unwrap_or(default)
        } else {
            1.0
        }
    }

    fn normalization(&self, defaults: &Preprocessing) -> Result<([f32; 3], [f32; 3]), String> {
        if !self.do_normalize.unwrap_or(true) {
            return Ok(([0.0; 3], [1.0; 3]));
        }
        let image_std = self.image_std.unwrap_or(defaults.image_std);
        if image_std.contains(&0.0) {
            return Err("`image_std` holds a `0`".to_owned());
        }
        Ok((self.image_mean.unwrap_or(defaults.image_mean), image_std))
    }
}

/// The numbers are Pillow's.
fn filter(resample: u8) -> Result<Filter, String> {
    let refused = |name: &str| {
        Err(format!(
            "`resample` `{name}` is not supported, only 2 (bilinear) and 3 (bicubic) are"
        ))
    };
    match resample {
        3 => Ok(Filter::Bicubic),
        2 => Ok(Filter::Bilinear),
        0 => refused("0 (nearest)"),
        1 => refused("1 (lanczos)"),
        4 => refused("4 (box)"),
        5 => refused("5 (hamming)"),
        other => refused(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::family::CLIP;

    fn parse(json: &'static str, image_size: usize) -> Result<Preprocessing, String> {
        let file = Part::from_static("preprocessor_config.json", json.as_bytes());
        Preprocessing::parse(&file, &CLIP.image_processor, image_size)
            .map_err(|error| error.to_string())
    }

    fn clip() -> Preprocessing {
        CLIP.image_processor.defaults.clone()
    }

    #[test]
    fn absent_keys_are_clips_own() {
        assert_eq!(parse("{}", 224).unwrap(), clip());
        assert_eq!(
            parse(r#"{"size": null, "image_mean": null}"#, 224).unwrap(),
            clip()
        );
    }

    #[test]
    fn reads_every_spelling_of_a_size() {
        for size in [r#""size": 336"#, r#""size": {"shortest_edge": 336}"#] {
            for crop in [
                r#""crop_size": 336"#,
                r#""crop_size": {"height": 336, "width": 336}"#,
            ] {
                let json: &'static str = format!("{{{size}, {crop}}}").leak();
                let found = parse(json, 336).unwrap();
                assert_eq!(found.resize, Some(Resize::ShortestEdge(336)));
                assert_eq!(
                    found.crop,
                    Some(PictureSize {
                        height: 336,
                        width: 336
                    })
                );
            }
        }
        let exact = parse(
            r#"{"size": {"height": 64, "width": 64}, "do_center_crop": false}"#,
            64,
        )
        .unwrap();
        assert_eq!(
            exact.resize,
            Some(Resize::Exact(PictureSize {
                height: 64,
                width: 64
            }))
        );
        assert_eq!(exact.crop, None);
    }

    #[test]
    fn steps_can_be_switched_off() {
        let found = parse(
            r#"{"do_resize": false, "do_rescale": false, "do_normalize": false, "resample": 2,
                "rescale_factor": 9, "image_mean": [1, 2, 3], "image_std": [0, 0, 0]}"#,
            224,
        )
        .unwrap();
        let expected = Preprocessing {
            resize: None,
            filter: Filter::Bilinear,
            rescale_factor: 1.0,
            image_mean: [0.0; 3],
            image_std: [1.0; 3],
            ..clip()
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn reads_the_nested_form_of_transformers_5() {
        let json = r#"{"processor_class": "CLIPProcessor", "image_processor": {"size": 64, "crop_size": 64}}"#;
        assert_eq!(
            parse(json, 64).unwrap().resize,
            Some(Resize::ShortestEdge(64))
        );
    }

    #[test]
    fn refuses_by_name() {
        let cases = [
            (r#"{"resample": 1}"#, "lanczos"),
            (r#"{"resample": 7}"#, "`7`"),
            (
                r#"{"image_processor_type": "ViTImageProcessor"}"#,
                "`ViTImageProcessor`",
            ),
            (
                r#"{"feature_extractor_type": "ViTFeatureExtractor"}"#,
                "`ViTFeatureExtractor`",
            ),
            (r#"{"crop_size": 336}"#, "336x336"),
            (r#"{"do_center_crop": false}"#, "one size"),
            (r#"{"size": 0}"#, "`size` is `0`"),
            (
                r#"{"size": {"shortest_edge": 224, "longest_edge": 300}}"#,
                "a size must be",
            ),
            (
                r#"{"crop_size": {"shortest_edge": 224}}"#,
                "`crop_size` needs",
            ),
            (r#"{"image_std": [1, 0, 1]}"#, "`image_std`"),
            ("<!doctype html>", "web page"),
        ];
        for (json, expected) in cases {
            let error = parse(json, 224).unwrap_err();
            assert!(
                error.contains(expected) && error.contains("`preprocessor_config.json`"),
                "{error}"
            );
        }
    }
}
