//! From a checkpoint to the weights of the towers: the one place that knows their names and shapes.
//!
//! Names are Hugging Face's, and every tensor is asked for by name and shape, so that a model which lacks one is refused
//! by that name. Tensors are read one at a time and turned at once into the form that they are run in.

use candle_core::{DType, Result, Tensor};
use candle_nn::VarBuilder;

use super::Similarity;
use super::checkpoint::StoredRows;
use crate::kernels::Activation;
use crate::model::{Architecture, Family, Pooling, TowerFamily, TowerShape};

/// The table of token embeddings.
pub(super) const TOKENS: &str = "text_model.embeddings.token_embedding.weight";

/// Where the layers of a tower stand.
const LAYERS: &str = "encoder.layers";

/// What one way of running a tower makes of its tensors.
pub(super) trait Form: Sync {
    /// The weights of a product.
    type Dense: Send;
    /// A layer norm.
    type Norm: Send;
    /// Rows of `W` values: what is added to each position, or what is looked for.
    type Rows: Send;
    /// Of which each token looks up a row.
    type Tokens: Send;

    fn dense(&self, weight: Tensor, bias: Option<Tensor>) -> Result<Self::Dense>;
    fn norm(&self, weight: Tensor, bias: Tensor, eps: f64) -> Result<Self::Norm>;
    fn rows(&self, rows: Tensor) -> Result<Self::Rows>;
    /// Of rows that can be left where they are stored, or else of all that is read.
    fn tokens(
        &self,
        stored: Option<StoredRows>,
        read: impl FnOnce() -> Result<Tensor>,
    ) -> Result<Self::Tokens>;

    /// What goes into the hidden values' weights for this activation, and out of the next ones.
    fn hidden_factor(&self, activation: Activation) -> Option<f64>;

    /// Loads `count` layers.
    fn layers<T: Send>(
        &self,
        count: usize,
        load: impl Fn(usize) -> Result<T> + Send + Sync,
    ) -> Result<Vec<T>>;
}

/// The image tower's weights.
pub(super) struct VisionWeights<F: Form> {
    pub(super) patches: F::Dense,
    pub(super) patch_size: usize,
    pub(super) tower: TowerWeights<F>,
}

/// The text tower's weights.
pub(super) struct TextWeights<F: Form> {
    pub(super) tokens: F::Tokens,
    pub(super) tower: TowerWeights<F>,
}

/// What both towers have: all behind the patches or tokens.
pub(super) struct TowerWeights<F: Form> {
    pub(super) family: &'static TowerFamily,
    pub(super) shape: TowerShape,
    /// A class token is in its own position already.
    pub(super) positions: F::Rows,
    pub(super) pre_norm: Option<F::Norm>,
    pub(super) layers: Vec<LayerWeights<F>>,
    pub(super) final_norm: F::Norm,
    /// Where all positions are pooled.
    pub(super) head: Option<PoolingHead<F>>,
    pub(super) projection: Option<F::Dense>,
}

/// One pre-norm layer.
pub(super) struct LayerWeights<F: Form> {
    pub(super) norm1: F::Norm,
    /// Queries, keys and values in one product; the queries' `1/√head_width` is folded into its weights.
    pub(super) query_key_value: F::Dense,
    pub(super) out: F::Dense,
    pub(super) perceptron: Perceptron<F>,
}

/// Two products with a layer norm before them and an activation between.
pub(super) struct Perceptron<F: Form> {
    pub(super) norm: F::Norm,
    pub(super) fc1: F::Dense,
    pub(super) fc2: F::Dense,
}

/// Attention of one learned query to all positions, and a perceptron.
///
/// The query is the same for all inputs, so it is multiplied with the keys' weights once and for all: each of `H` heads then looks
/// for one row of `W` values among the positions themselves. What the keys' bias adds is the same for all positions, and so nothing.
pub(super) struct PoolingHead<F: Form> {
    /// `[H, W]`, with `1/√head_width` in them.
    pub(super) queries: F::Rows,
    /// Of what each head has found.
    pub(super) value: F::Dense,
    pub(super) out: F::Dense,
    pub(super) perceptron: Perceptron<F>,
}

/// The layers of a tower, each read when it is asked for.
pub(super) struct Layers<'a, F> {
    loader: Loader<'a, F>,
    weights: VarBuilder<'a>,
}

impl<F: Form> Layers<'_, F> {
    pub(super) fn count(&self) -> usize {
        self.loader.shape.layers
    }

    /// Nothing behind the last one.
    pub(super) fn load(&self, index: usize) -> Result<Option<LayerWeights<F>>> {
        let layer = (index < self.count()).then(|| self.loader.layer(&self.weights.pp(index)));
        layer.transpose()
    }
}

/// How similarities are read.
pub(super) fn load_similarity(family: &Family, weights: &VarBuilder<'_>) -> Result<Similarity> {
    let scalar = |name| weights.get((), name)?.to_scalar::<f32>();
    // Checkpoints store the logarithm.
    let scale = scalar("logit_scale")?.exp();
    let bias = family.has_logit_bias.then(|| scalar("logit_bias"));
    Ok(Similarity::new(scale).with_bias(bias.transpose()?))
}

impl<F: Form> VisionWeights<F> {
    pub(super) fn load(
        form: &F,
        architecture: &Architecture,
        weights: &VarBuilder<'_>,
    ) -> Result<VisionWeights<F>> {
        let family = architecture.family;
        let vision = &architecture.vision;
        let loader = Loader::vision(form, architecture);
        let patch_size = vision.patch_size;
        let patches = weights
            .pp(family.vision.model)
            .pp("embeddings.patch_embedding");
        let width = vision.tower.width;
        let kernel = patches.get((width, 3, patch_size, patch_size), "weight")?;
        let bias = family.has_patch_bias.then(|| patches.get(width, "bias"));
        let count = vision.grid().pow(2);
        Ok(VisionWeights {
            // A convolution whose stride is its kernel is a product with the flattened kernel.
            patches: form.dense(kernel.flatten_from(1)?, bias.transpose()?)?,
            patch_size,
            tower: loader.tower(weights, count, architecture.projection_dim)?,
        })
    }

    /// What [`VisionWeights::load`] would load of an architecture that has no layers yet.
    pub(super) fn layers<'a>(
        form: &'a F,
        architecture: &'a Architecture,
        weights: &VarBuilder<'a>,
    ) -> Layers<'a, F> {
        Loader::vision(form, architecture).layers(weights)
    }
}

impl<F: Form> TextWeights<F> {
    pub(super) fn load(
        form: &F,
        architecture: &Architecture,
        weights: &VarBuilder<'_>,
        stored: Option<StoredRows>,
    ) -> Result<TextWeights<F>> {
        let text = &architecture.text;
        let loader = Loader::text(form, architecture);
        let shape = (text.vocab_size, text.tower.width);
        let stored = stored.filter(|rows| rows.shape() == shape);
        Ok(TextWeights {
            tokens: form.tokens(stored, || weights.get(shape, TOKENS))?,
            tower: loader.tower(weights, text.context_length, architecture.projection_dim)?,
        })
    }

    /// What [`TextWeights::load`] would load of an architecture that has no layers yet.
    pub(super) fn layers<'a>(
        form: &'a F,
        architecture: &'a Architecture,
        weights: &VarBuilder<'a>,
    ) -> Layers<'a, F> {
        Loader::text(form, architecture).layers(weights)
    }
}

/// Loads one tower.
struct Loader<'a, F> {
    form: &'a F,
    family: &'static TowerFamily,
    shape: &'a TowerShape,
}

impl<'a, F: Form> Loader<'a, F> {
    fn vision(form: &'a F, architecture: &'a Architecture) -> Loader<'a, F> {
        Loader {
            form,
            family: &architecture.family.vision,
            shape: &architecture.vision.tower,
        }
    }

    fn text(form: &'a F, architecture: &'a Architecture) -> Loader<'a, F> {
        Loader {
            form,
            family: &architecture.family.text,
            shape: &architecture.text.tower,
        }
    }

    fn layers(self, weights: &VarBuilder<'a>) -> Layers<'a, F> {
        Layers {
            weights: weights.pp(self.family.model).pp(LAYERS),
            loader: self,
        }
    }

    /// `inputs` is the number of patches or of tokens.
    fn tower(
        &self,
        weights: &VarBuilder<'_>,
        inputs: usize,
        projection_dim: usize,
    ) -> Result<TowerWeights<F>> {
        let model = weights.pp(self.family.model);
        let has_head = self.family.pooling == Pooling::Attention;
        let head = has_head.then(|| self.head(&model.pp("head")));
        let projection = self.family.projection.as_ref();
        let projection = projection.map(|projection| {
            let weights = weights.pp(projection.name);
            let bias = projection
                .has_bias
                .then(|| weights.get(projection_dim, "bias"));
            let weight = weights.get((projection_dim, self.shape.width), "weight")?;
            self.form.dense(weight, bias.transpose()?)
        });
        let layers = model.pp(LAYERS);
        let pre_norm = self.family.pre_norm.map(|name| self.norm(&model.pp(name)));
        Ok(TowerWeights {
            family: self.family,
            shape: self.shape.clone(),
            positions: self.positions(&model.pp("embeddings"), inputs)?,
            pre_norm: pre_norm.transpose()?,
            layers: self
                .form
                .layers(self.shape.layers, |index| self.layer(&layers.pp(index)))?,
            final_norm: self.norm(&model.pp(self.family.final_norm))?,
            head: head.transpose()?,
            projection: projection.transpose()?,
        })
    }

    fn head(&self, weights: &VarBuilder<'_>) -> Result<PoolingHead<F>> {
        let TowerShape { width, heads, .. } = *self.shape;
        let attention = weights.pp("attention");
        let load = |name| Linear::load(&attention.pp(name), width, width);
        let query = load("q_proj")?.scaled(self.query_scale())?;
        let key = attention.get((width, width), "k_proj.weight")?;
        // Once and for all, so in f32 also where the tower is not.
        let full = |tensor: &Tensor| tensor.to_dtype(DType::F32);
        let probe = full(&weights.get((1, width), "probe")?)?;
        let sought = probe.matmul(&full(&query.weight)?.t()?)?;
        let sought = (sought + full(&query.bias)?.unsqueeze(0)?)?;
        let sought = sought.reshape((heads, 1, width / heads))?;
        let key_weights = full(&key)?.reshape((heads, width / heads, width))?;
        let queries = sought.matmul(&key_weights)?.squeeze(1)?;
        Ok(PoolingHead {
            queries: self.form.rows(queries.to_dtype(key.dtype())?)?,
            value: load("v_proj")?.into_form(self.form)?,
            out: load("out_proj")?.into_form(self.form)?,
            perceptron: self.perceptron(&weights.pp("layernorm"), &weights.pp("mlp"))?,
        })
    }

    fn perceptron(&self, norm: &VarBuilder<'_>, weights: &VarBuilder<'_>) -> Result<Perceptron<F>> {
        Ok(Perceptron {
            norm: self.norm(norm)?,
            fc1: self.fc1(&weights.pp("fc1"))?.into_form(self.form)?,
            fc2: self.fc2(&weights.pp("fc2"))?.into_form(self.form)?,
        })
    }

    fn query_scale(&self) -> f64 {
        1.0 / ((self.shape.width / self.shape.heads) as f64).sqrt()
    }

    fn positions(&self, embeddings: &VarBuilder<'_>, inputs: usize) -> Result<F::Rows> {
        let width = self.shape.width;
        let count = self.family.pooling.leading() + inputs;
        let positions = embeddings.get((count, width), "position_embedding.weight")?;
        let positions = match self.family.pooling {
            Pooling::ClassToken => {
                let class = embeddings.get(width, "class_embedding")?.unsqueeze(0)?;
                let first = (positions.narrow(0, 0, 1)? + class)?;
                Tensor::cat(&[first, positions.narrow(0, 1, inputs)?], 0)?
            }
            Pooling::Last | Pooling::Attention => positions,
        };
        self.form.rows(positions)
    }

    fn norm(&self, weights: &VarBuilder<'_>) -> Result<F::Norm> {
        let width = self.shape.width;
        self.form.norm(
            weights.get(width, "weight")?,
            weights.get(width, "bias")?,
            self.shape.layer_norm_eps,
        )
    }

    fn layer(&self, weights: &VarBuilder<'_>) -> Result<LayerWeights<F>> {
        let attention = weights.pp("self_attn");
        let out = || {
            Linear::load(
                &attention.pp("out_proj"),
                self.shape.width,
                self.shape.width,
            )
        };
        Ok(LayerWeights {
            norm1: self.norm(&weights.pp("layer_norm1"))?,
            query_key_value: self.query_key_value(&attention)?.into_form(self.form)?,
            out: out()?.into_form(self.form)?,
            perceptron: self.perceptron(&weights.pp("layer_norm2"), &weights.pp("mlp"))?,
        })
    }

    fn query_key_value(&self, weights: &VarBuilder<'_>) -> Result<Linear> {
        let width = self.shape.width;
        let load = |name| Linear::load(&weights.pp(name), width, width);
        let query = load("q_proj")?.scaled(self.query_scale())?;
        let key = load("k_proj")?;
        let value = load("v_proj")?;
        Ok(Linear {
            weight: Tensor::cat(&[query.weight, key.weight, value.weight], 0)?,
            bias: Tensor::cat(&[query.bias, key.bias, value.bias], 0)?,
        })
    }

    fn fc1(&self, weights: &VarBuilder<'_>) -> Result<Linear> {
        let fc1 = Linear::load(weights, self.shape.width, self.shape.intermediate)?;
        match self.form.hidden_factor(self.shape.activation) {
            Some(factor) => fc1.scaled(factor),
            None => Ok(fc1),
        }
    }

    fn fc2(&self, weights: &VarBuilder<'_>) -> Result<Linear> {
        let mut fc2 = Linear::load(weights, self.shape.intermediate, self.shape.width)?;
        if let Some(factor) = self.form.hidden_factor(self.shape.activation) {
            fc2.weight = fc2.weight.affine(1.0 / factor, 0.0)?;
        }
        Ok(fc2)
    }
}

/// A product's weight `[out, in]` and bias, as they are stored.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn load(weights: &VarBuilder<'_>, input: usize, output: usize) -> Result<Linear> {
        Ok(Linear {
            weight: weights.get((output, input), "weight")?,
            bias: weights.get(output, "bias")?,
        })
    }

    fn scaled(self, factor: f64) -> Result<Linear> {
        Ok(Linear {
            weight: self.weight.affine(factor, 0.0)?,
            bias: self.bias.affine(factor, 0.0)?,
        })
    }

    fn into_form<F: Form>(self, form: &F) -> Result<F::Dense> {
        form.dense(self.weight, Some(self.bias))
    }
}
