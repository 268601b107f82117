//! What the tensors of a model are called in its own layout, and how they lie there: one table from Hugging Face's names, by which
//! the towers ask for them, to all others.

use crate::model::Layout;

/// Where a tensor is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) lies: Lies,
}

/// How a tensor lies in the one that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    Whole,
    /// It is one of several of the same size, one under the other.
    Part {
        index: usize,
        of: usize,
    },
    /// Its columns are rows.
    Transposed,
}

/// What of a name is replaced by what.
type Rule = (&'static str, &'static str, Lies);

const fn rule(ours: &'static str, theirs: &'static str) -> Rule {
    (ours, theirs, Lies::Whole)
}

const fn part(ours: &'static str, theirs: &'static str, index: usize, of: usize) -> Rule {
    (ours, theirs, Lies::Part { index, of })
}

/// Torch's own attention, which `SigLIP` pools with.
const TRANSFORMERS: &[Rule] = &[
    part("head.attention.q_proj.", "head.attention.in_proj_", 0, 3),
    part("head.attention.k_proj.", "head.attention.in_proj_", 1, 3),
    part("head.attention.v_proj.", "head.attention.in_proj_", 2, 3),
];

const OPEN_CLIP_BLOCKS: &[Rule] = &[
    rule(".layer_norm1.", ".ln_1."),
    rule(".layer_norm2.", ".ln_2."),
    part(".self_attn.q_proj.", ".attn.in_proj_", 0, 3),
    part(".self_attn.k_proj.", ".attn.in_proj_", 1, 3),
    part(".self_attn.v_proj.", ".attn.in_proj_", 2, 3),
    rule(".self_attn.out_proj.", ".attn.out_proj."),
    rule(".mlp.fc1.", ".mlp.c_fc."),
    rule(".mlp.fc2.", ".mlp.c_proj."),
];

const OPEN_CLIP_TEXT: &[Rule] = &[
    rule("text_model.embeddings.token_embedding", "token_embedding"),
    rule(
        "text_model.embeddings.position_embedding.weight",
        "positional_embedding",
    ),
    rule("text_model.encoder.layers", "transformer.resblocks"),
    rule("text_model.final_layer_norm", "ln_final"),
    (
        "text_projection.weight",
        "text_projection",
        Lies::Transposed,
    ),
    rule("text_model.head", "text_projection"),
];

const OPEN_CLIP_VISION: &[Rule] = &[
    rule("vision_model.embeddings.patch_embedding", "visual.conv1"),
    rule(
        "vision_model.embeddings.class_embedding",
        "visual.class_embedding",
    ),
    rule(
        "vision_model.embeddings.position_embedding.weight",
        "visual.positional_embedding",
    ),
    rule("vision_model.pre_layrnorm", "visual.ln_pre"),
    rule("vision_model.post_layernorm", "visual.ln_post"),
    rule(
        "vision_model.encoder.layers",
        "visual.transformer.resblocks",
    ),
    ("visual_projection.weight", "visual.proj", Lies::Transposed),
];

const TIMM_VISION: &[Rule] = &[
    rule(
        "vision_model.embeddings.patch_embedding",
        "visual.trunk.patch_embed.proj",
    ),
    rule(
        "vision_model.embeddings.position_embedding.weight",
        "visual.trunk.pos_embed",
    ),
    rule("vision_model.post_layernorm", "visual.trunk.norm"),
    rule("vision_model.encoder.layers", "visual.trunk.blocks"),
    rule("vision_model.head.probe", "visual.trunk.attn_pool.latent"),
    rule("vision_model.head.layernorm", "visual.trunk.attn_pool.norm"),
    rule("vision_model.head.mlp", "visual.trunk.attn_pool.mlp"),
    rule(
        "vision_model.head.attention.q_proj",
        "visual.trunk.attn_pool.q",
    ),
    part(
        "vision_model.head.attention.k_proj",
        "visual.trunk.attn_pool.kv",
        0,
        2,
    ),
    part(
        "vision_model.head.attention.v_proj",
        "visual.trunk.attn_pool.kv",
        1,
        2,
    ),
    rule(
        "vision_model.head.attention.out_proj",
        "visual.trunk.attn_pool.proj",
    ),
    rule(".layer_norm1.", ".norm1."),
    rule(".layer_norm2.", ".norm2."),
    part(".self_attn.q_proj.", ".attn.qkv.", 0, 3),
    part(".self_attn.k_proj.", ".attn.qkv.", 1, 3),
    part(".self_attn.v_proj.", ".attn.qkv.", 2, 3),
    rule(".self_attn.out_proj.", ".attn.proj."),
];

/// Finds the tensor that Hugging Face calls so.
pub(super) fn stored(layout: Layout, name: &str) -> Stored {
    let is_text = name.starts_with("text_");
    let (start, rules): (&str, [&[Rule]; 2]) = match layout {
        Layout::Transformers => ("", [TRANSFORMERS, &[]]),
        Layout::OpenClip { has_text: true } if is_text => {
            ("text.", [OPEN_CLIP_TEXT, OPEN_CLIP_BLOCKS])
        }
        Layout::OpenClipTimm if is_text => ("text.", [OPEN_CLIP_TEXT, OPEN_CLIP_BLOCKS]),
        Layout::OpenClip { .. } if is_text => ("", [OPEN_CLIP_TEXT, OPEN_CLIP_BLOCKS]),
        Layout::OpenClip { .. } => ("", [OPEN_CLIP_VISION, OPEN_CLIP_BLOCKS]),
        Layout::OpenClipTimm => ("", [TIMM_VISION, &[]]),
    };
    let mut found = Stored {
        name: name.to_owned(),
        lies: Lies::Whole,
    };
    for (ours, theirs, lies) in rules.into_iter().flatten() {
        if found.name.contains(ours) {
            found.name = found.name.replace(ours, theirs);
            if *lies != Lies::Whole {
                found.lies = *lies;
            }
        }
    }
    found.name.insert_str(0, start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_layout() {
        let whole = Lies::Whole;
        let third = |index| Lies::Part { index, of: 3 };
        let plain = Layout::OpenClip { has_text: false };
        let custom = Layout::OpenClip { has_text: true };
        let timm = Layout::OpenClipTimm;
        let layer = |tower: &str, rest: &str| format!("{tower}_model.encoder.layers.11.{rest}");
        let cases = [
            (
                Layout::Transformers,
                layer("text", "mlp.fc1.bias"),
                "text_model.encoder.layers.11.mlp.fc1.bias",
                whole,
            ),
            (
                Layout::Transformers,
                "vision_model.head.attention.k_proj.bias".to_owned(),
                "vision_model.head.attention.in_proj_bias",
                third(1),
            ),
            (
                plain,
                layer("text", "self_attn.v_proj.weight"),
                "transformer.resblocks.11.attn.in_proj_weight",
                third(2),
            ),
            (
                plain,
                layer("vision", "mlp.fc2.bias"),
                "visual.transformer.resblocks.11.mlp.c_proj.bias",
                whole,
            ),
            (
                plain,
                "text_projection.weight".to_owned(),
                "text_projection",
                Lies::Transposed,
            ),
            (plain, "logit_scale".to_owned(), "logit_scale", whole),
            (
                custom,
                layer("text", "layer_norm2.weight"),
                "text.transformer.resblocks.11.ln_2.weight",
                whole,
            ),
            (
                custom,
                "text_projection.weight".to_owned(),
                "text.text_projection",
                Lies::Transposed,
            ),
            (
                custom,
                "visual_projection.weight".to_owned(),
                "visual.proj",
                Lies::Transposed,
            ),
            (
                timm,
                "text_model.head.bias".to_owned(),
                "text.text_projection.bias",
                whole,
            ),
            (
                timm,
                layer("vision", "self_attn.q_proj.bias"),
                "visual.trunk.blocks.11.attn.qkv.bias",
                third(0),
            ),
            (
                timm,
                layer("vision", "mlp.fc2.bias"),
                "visual.trunk.blocks.11.mlp.fc2.bias",
                whole,
            ),
            (
                timm,
                "vision_model.head.attention.v_proj.weight".to_owned(),
                "visual.trunk.attn_pool.kv.weight",
                Lies::Part { index: 1, of: 2 },
            ),
            (
                timm,
                "vision_model.head.mlp.fc1.weight".to_owned(),
                "visual.trunk.attn_pool.mlp.fc1.weight",
                whole,
            ),
        ];
        for (layout, ours, theirs, lies) in cases {
            let found = stored(layout, &ours);
            assert_eq!(
                (found.name.as_str(), found.lies),
                (theirs, lies),
                "{layout:?}: {ours}"
            );
        }
    }
}
