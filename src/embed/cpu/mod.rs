//! The towers on the processor: the same arithmetic as on candle tensors, on weights that are packed once.
//!
//! A tower works on one thread at a time and is shared by several, each with a [`Workspace`] of its own. Inputs of a
//! batch lie one after the other, each with as many positions as it has; nothing is padded.

mod attention;
mod encoder;
mod text;
mod tokens;
mod vision;

pub(super) use encoder::Workspace;
pub(super) use vision::VisionTower;

use candle_core::{Error, Result, Storage, Tensor};
use rayon::prelude::*;

use super::checkpoint::StoredRows;
use super::weights::Form;
use crate::kernels::{Activation, LayerNorm, NumberFormat, PackedWeights};
use tokens::Tokens;

/// Layers of a tower that are read and packed at the same time.
const LAYERS_AT_ONCE: usize = 4;

/// Weights packed in a number format.
pub(super) struct Packed(pub(super) NumberFormat);

impl Form for Packed {
    type Dense = PackedWeights;
    type Norm = LayerNorm;
    type Rows = Vec<f32>;
    type Tokens = Tokens;

    fn dense(&self, weight: Tensor, bias: Option<Tensor>) -> Result<PackedWeights> {
        let bias = match bias {
            Some(bias) => bias.to_vec1()?,
            None => vec![0.0; weight.dim(0)?],
        };
        with_values(&weight, |rows| PackedWeights::pack(self.0, rows, bias))
    }

    fn norm(&self, weight: Tensor, bias: Tensor, eps: f64) -> Result<LayerNorm> {
        Ok(LayerNorm {
            weight: weight.to_vec1()?,
            bias: bias.to_vec1()?,
            eps: eps as f32,
        })
    }

    fn rows(&self, rows: Tensor) -> Result<Vec<f32>> {
        with_values(&rows, <[f32]>::to_vec)
    }

    fn tokens(
        &self,
        stored: Option<StoredRows>,
        read: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Tokens> {
        match stored {
            Some(rows) => Ok(Tokens::Stored(rows)),
            None => with_values(&read()?, <[f32]>::to_vec).map(Tokens::Whole),
        }
    }

    /// The kernels have each activation as it is.
    fn hidden_factor(&self, _: Activation) -> Option<f64> {
        None
    }

    /// Packing is work that cores share; but each layer on its way is in memory twice.
    fn layers<T: Send>(
        &self,
        count: usize,
        load: impl Fn(usize) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>> {
        let layers: Vec<usize> = (0..count).collect();
        let groups = layers.chunks(LAYERS_AT_ONCE);
        let group = |group: &[usize]| group.par_iter().map(|index| load(*index)).collect();
        let groups: Vec<Vec<T>> = groups.map(group).collect::<Result<_>>()?;
        Ok(groups.into_iter().flatten().collect())
    }
}

/// What `read` makes of a tensor's values, which are not copied for it.
fn with_values<T>(tensor: &Tensor, read: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else {
        return Err(Error::Msg("packed weights are of the processor".to_owned()));
    };
    let start = layout.start_offset();
    let values = &storage.as_slice::<f32>()?[start..start + layout.shape().elem_count()];
    Ok(read(values))
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Shape, Tensor};
    use candle_nn::var_builder::SimpleBackend;
    use candle_nn::{Init, VarBuilder};

    use super::*;
    use crate::embed::tensors::{self, Tensors};
    use crate::embed::weights::{TextWeights, VisionWeights};
    use crate::embed::{Pixels, check};
    use crate::model::{
        Architecture, Family, Filter, Middle, Preprocessing, TextShape, TowerShape, VisionShape,
    };

    /// Each format with the cosine to candle's towers that it must reach on weights without any structure.
    const FORMATS: [(NumberFormat, f32); 3] = [
        (NumberFormat::F32, 0.999_999),
        (NumberFormat::Int16, 0.999_99),
        (NumberFormat::Int8, 0.995),
    ];

    /// Random weights of any name and shape, always the same.
    struct Random;

    impl SimpleBackend for Random {
        fn get(
            &self,
            shape: Shape,
            name: &str,
            _: Init,
            _: DType,
            device: &Device,
        ) -> Result<Tensor> {
            let hash = blake3::Hasher::new().update(name.as_bytes()).finalize_xof();
            let mut bytes = vec![0; 4 * shape.elem_count()];
            let mut hash = hash;
            hash.fill(&mut bytes);
            let spread = 2.0 / (shape.dims().last().copied().unwrap_or(1) as f32).sqrt();
            let values = bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| (i32::from_le_bytes(*bytes) as f32 / 2.0_f32.powi(31)) * spread);
            let middle = if name.contains("norm.weight") {
                1.0
            } else {
                0.0
            };
            Tensor::from_vec(values.map(|value| value + middle).collect(), shape, device)
        }

        fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
            unreachable!("{name} was asked for without its shape")
        }

        fn contains_tensor(&self, _: &str) -> bool {
            true
        }
    }

    /// Of a family, with sizes that no vector fits into.
    fn architecture(model_type: &str, activation: Activation) -> Architecture {
        let tower = |width, heads, intermediate| TowerShape {
            width,
            layers: 3,
            heads,
            intermediate,
            activation,
            layer_norm_eps: 1e-5,
        };
        let vision = VisionShape {
            tower: tower(45, 5, 71),
            image_size: 28,
            patch_size: 7,
        };
        let text = TextShape {
            tower: tower(27, 3, 130),
            vocab_size: 50,
            context_length: 13,
            eos_token_id: 49,
        };
        let projection_dim = if model_type == "siglip" { 45 } else { 21 };
        Architecture::new(
            Family::of(Some(model_type)).unwrap(),
            vision,
            text,
            projection_dim,
        )
    }

    fn preprocessing() -> Preprocessing {
        Preprocessing {
            resize: None,
            crop: None,
            middle: Middle::Down,
            filter: Filter::Bicubic,
            rescale_factor: 1.0 / 255.0,
            image_mean: [0.5, 0.4, 0.3],
            image_std: [0.2, 0.25, 0.3],
        }
    }

    fn vision_tower(
        architecture: &Architecture,
        weights: &VarBuilder<'_>,
        format: NumberFormat,
    ) -> VisionTower {
        let weights = VisionWeights::load(&Packed(format), architecture, weights).unwrap();
        VisionTower::new(weights, &preprocessing())
    }

    fn cosine(a: &[f32], b: &[f32]) -> f32 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    fn assert_near(ours: &[Vec<f32>], theirs: &[Vec<f32>], format: NumberFormat, floor: f32) {
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            let cosine = cosine(ours, theirs);
            assert!(cosine > floor, "{format:?} reaches {cosine}");
        }
    }

    #[test]
    fn towers_equal_those_on_tensors() {
        let weights = VarBuilder::from_backend(Box::new(Random), DType::F32, Device::Cpu);
        let pictures = check::pictures(28);
        let ended = [
            vec![48, 3, 49],
            vec![48, 49],
            (37..50).collect(),
            vec![48, 7, 7, 7, 9, 49],
        ];
        let filled = [1, 5, 12].map(|words| [vec![7; words], vec![0; 13 - words]].concat());
        for (model_type, activation) in [
            ("clip", Activation::QuickGelu),
            ("clip", Activation::Gelu),
            ("siglip", Activation::GeluTanh),
        ] {
            let architecture = architecture(model_type, activation);
            let texts = match model_type {
                "clip" => ended.as_slice(),
                _ => &filled,
            };
            let vision = VisionWeights::load(&Tensors, &architecture, &weights).unwrap();
            let vision = tensors::VisionTower::new(vision, &preprocessing()).unwrap();
            let text = TextWeights::load(&Tensors, &architecture, &weights, None).unwrap();
            let (images, texts_of) = (
                vision.forward(&pictures).unwrap(),
                text.forward(texts).unwrap(),
            );
            for (format, floor) in FORMATS
                .into_iter()
                .filter(|(format, _)| format.is_available())
            {
                let vision = vision_tower(&architecture, &weights, format);
                let text =
                    TextWeights::load(&Packed(format), &architecture, &weights, None).unwrap();
                let mut workspace = Workspace::new(format);
                assert_near(
                    &vision.forward(&pictures, &mut workspace),
                    &images,
                    format,
                    floor,
                );
                assert_near(
                    &text.forward(texts, &mut workspace).unwrap(),
                    &texts_of,
                    format,
                    floor,
                );
            }
        }
    }

    #[test]
    fn layers_that_are_read_when_they_are_needed_give_the_same() {
        let weights = VarBuilder::from_backend(Box::new(Random), DType::F32, Device::Cpu);
        let architecture = architecture("clip", Activation::Gelu);
        let bare = architecture.with_layers(0);
        let form = Packed(NumberFormat::F32);
        let mut workspace = Workspace::new(NumberFormat::F32);
        let pictures = check::pictures(28);
        let whole = vision_tower(&architecture, &weights, NumberFormat::F32);
        let through = vision_tower(&bare, &weights, NumberFormat::F32);
        let layers = VisionWeights::layers(&form, &architecture, &weights);
        let features = through.forward_through(&layers, &pictures, &mut workspace);
        let expected = whole.forward(&pictures, &mut workspace);
        assert_eq!(features.unwrap(), expected);

        let texts = [vec![48, 3, 49], (37..50).collect()];
        let whole = TextWeights::load(&form, &architecture, &weights, None).unwrap();
        let through = TextWeights::load(&form, &bare, &weights, None).unwrap();
        let layers = TextWeights::layers(&form, &architecture, &weights);
        let features = through.forward_through(&layers, &texts, &mut workspace);
        let expected = whole.forward(&texts, &mut workspace);
        assert_eq!(features.unwrap(), expected.unwrap());
    }

    #[test]
    fn a_batch_gives_what_its_members_give() {
        let weights = VarBuilder::from_backend(Box::new(Random), DType::F32, Device::Cpu);
        let architecture = architecture("clip", Activation::Gelu);
        for (format, _) in FORMATS
            .into_iter()
            .filter(|(format, _)| format.is_available())
        {
            let vision = vision_tower(&architecture, &weights, format);
            let mut workspace = Workspace::new(format);
            let pictures: Vec<Pixels> = std::iter::repeat_n(check::pictures(28), 5)
                .flatten()
                .collect();
            let together = vision.forward(&pictures, &mut workspace);
            for (picture, together) in pictures.iter().zip(together) {
                let single = vision.forward(std::slice::from_ref(picture), &mut workspace);
                assert_eq!(single, [together], "{format:?}");
            }
        }
    }
}
