//! How far one checkpoint's weights lie from another's, tensor by tensor: the sums from which
//! norms and cosines of any group of tensors follow. One pair of tensors is held at a time.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

use super::Files;
use crate::tensor::{self, DType, Device};
use crate::{Error, Result};

/// Two tensors of one name, flattened: `b` of the base, `v` of the variant, in double precision.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorDrift {
    /// In-memory name, e.g. `model.language_model.layers.0.mlp.up_proj.weight`.
    pub name: String,
    /// Numbers compared.
    pub elements: usize,
    /// Sum of `b^2`.
    pub base: f64,
    /// Sum of `v^2`.
    pub variant: f64,
    /// Sum of `(v - b)^2`.
    pub difference: f64,
    /// Sum of `v b`.
    pub product: f64,
    /// Rows left out because the other checkpoint's embedding does not have them.
    pub rows_left_out: usize,
}

/// Two checkpoints' weights beside each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drift {
    /// Tensors both have, sorted by name.
    pub tensors: Vec<TensorDrift>,
    /// Tensors only the base has.
    pub only_base: Vec<String>,
    /// Tensors only the variant has (a latent head).
    pub only_variant: Vec<String>,
}

/// Compares the weights in two folders.
///
/// # Errors
/// A folder's files are damaged, or a tensor has another shape; embedding and output matrix
/// may differ in rows.
pub fn drift(base: &Path, variant: &Path) -> Result<Drift> {
    let [base, variant] = [Files::open(base)?, Files::open(variant)?];
    for files in [&base, &variant] {
        if !files.problems.is_empty() {
            return Err(Error::Checkpoint { path: files.root().to_path_buf(), problems: files.problems.clone() });
        }
    }
    let [of_base, of_variant] = [&base, &variant].map(|files| files.names().map(str::to_owned).collect::<BTreeSet<String>>());
    let both: Vec<&String> = of_base.intersection(&of_variant).collect();
    let wrong: Vec<String> = both.iter().filter_map(|name| misfit(&base, &variant, name)).collect();
    if !wrong.is_empty() {
        return Err(Error::Checkpoint { path: variant.root().to_path_buf(), problems: wrong });
    }
    let tensors = both.into_par_iter().map(|name| one(&base, &variant, name)).collect::<Result<_>>()?;
    let only = |here: &BTreeSet<String>, there: &BTreeSet<String>| here.difference(there).cloned().collect();
    Ok(Drift { tensors, only_base: only(&of_base, &of_variant), only_variant: only(&of_variant, &of_base) })
}

/// Whether a tensor has one row per token.
fn is_by_token(name: &str) -> bool {
    name.ends_with("embed_tokens.weight") || name == "lm_head.weight"
}

fn misfit(base: &Files, variant: &Files, name: &str) -> Option<String> {
    let [base, variant] = [base, variant].map(|files| files.shape(name).unwrap_or_default());
    let same = base == variant || (is_by_token(name) && base.len() == 2 && variant.len() == 2 && base.get(1) == variant.get(1));
    (!same).then(|| format!("{name}: shape {variant:?}, the base has {base:?}; give the base that the variant was trained from"))
}

fn one(base: &Files, variant: &Files, name: &str) -> Result<TensorDrift> {
    let values = |files: &Files| -> Result<Vec<f32>> {
        let tensor = files.tensor(name, DType::F32, &Device::Cpu)?;
        let tensor = tensor.ok_or_else(|| Error::content(files.root(), format!("`{name}` is gone"), "copy the checkpoint again"))?;
        tensor::values(&tensor)
    };
    let (b, v) = (values(base)?, values(variant)?);
    // Rows lie one behind another, so what both have stands in front.
    let elements = b.len().min(v.len());
    let width = base.shape(name).and_then(|shape| shape.get(1).copied()).unwrap_or(1).max(1);
    let mut sums = [0.0f64; 4];
    for (b, v) in b.iter().zip(&v).map(|(b, v)| (f64::from(*b), f64::from(*v))) {
        for (sum, value) in sums.iter_mut().zip([b * b, v * v, (v - b) * (v - b), v * b]) {
            *sum += value;
        }
    }
    let [base, variant, difference, product] = sums;
    let rows_left_out = b.len().abs_diff(v.len()) / width;
    Ok(TensorDrift { name: name.into(), elements, base, variant, difference, product, rows_left_out })
}

#[cfg(test)]
mod tests {
    use safetensors::tensor::{Dtype, TensorView, serialize};

    use super::*;

    fn checkpoint(tensors: &[(&str, Vec<usize>, Vec<f32>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<(&str, Vec<usize>, Vec<u8>)> =
            tensors.iter().map(|(n, s, v)| (*n, s.clone(), v.iter().flat_map(|x| x.to_le_bytes()).collect())).collect();
        let views = bytes.iter().map(|(n, s, b)| (*n, TensorView::new(Dtype::F32, s.clone(), b).unwrap()));
        std::fs::write(folder.path().join("model.safetensors"), serialize(views, None).unwrap()).unwrap();
        folder
    }

    #[test]
    fn sums_by_hand_and_rows_of_tokens_that_one_does_not_have() {
        let base = checkpoint(&[
            ("model.embed_tokens.weight", vec![2, 2], vec![1.0, 2.0, 3.0, 4.0]),
            ("model.norm.weight", vec![2], vec![3.0, 4.0]),
        ]);
        let variant = checkpoint(&[
            ("model.embed_tokens.weight", vec![3, 2], vec![1.0, 2.0, 3.0, 5.0, 9.0, 9.0]),
            ("model.norm.weight", vec![2], vec![4.0, 4.0]),
            ("lvr_head.weight", vec![1], vec![1.0]),
        ]);
        let found = drift(base.path(), variant.path()).unwrap();
        let [embedding, norm] = &found.tensors[..] else { panic!("{found:?}") };
        assert_eq!((embedding.elements, embedding.rows_left_out), (4, 1));
        assert_eq!([embedding.base, embedding.variant, embedding.difference, embedding.product], [30.0, 39.0, 1.0, 34.0]);
        assert_eq!([norm.base, norm.variant, norm.difference, norm.product], [25.0, 32.0, 1.0, 28.0]);
        assert_eq!((found.only_base.len(), found.only_variant.len()), (0, 1));
        assert_eq!(found, drift(base.path(), variant.path()).unwrap());
    }

    #[test]
    fn another_shape_is_refused_by_name() {
        let base = checkpoint(&[("model.norm.weight", vec![2], vec![3.0, 4.0])]);
        let variant = checkpoint(&[("model.norm.weight", vec![3], vec![3.0, 4.0, 5.0])]);
        let text = drift(base.path(), variant.path()).unwrap_err().to_string();
        assert!(text.contains("norm.weight") && text.contains("[3]") && text.contains("[2]"), "{text}");
    }
}
