//! Files of embeddings, as other programs read and write them: safetensors and `.npy`. Both are written and read row by
//! row, so that memory stays small whatever the library.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::embed::Embedding;
use crate::store::ContentHash;

/// The tensors of a file: a row of each belongs together.
const EMBEDDINGS: &str = "embeddings";
const HASHES: &str = "hashes";

/// What the file says about itself.
const FINGERPRINT: &str = "model_fingerprint";
const MODEL: &str = "model";

/// A longer header is not one of such a file.
const MAX_HEADER_BYTES: u64 = 1024 * 1024;

const HASH_BYTES: usize = 32;
const VALUE_BYTES: usize = size_of::<f32>();

/// What a file of embeddings holds.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) rows: usize,
    pub(super) embedding_dim: usize,
    /// Of the model that made the embeddings.
    pub(super) fingerprint: String,
    pub(super) model: String,
}

/// Writes what stands before the embeddings in safetensors; the hashes follow behind them.
pub(super) fn write_safetensors_header(out: &mut impl Write, shape: &Shape) -> Result<()> {
    let embeddings_end = shape.rows * shape.embedding_dim * VALUE_BYTES;
    let tensor = |dtype, columns, data_offsets| TensorInfo {
        dtype,
        shape: vec![shape.rows, columns],
        data_offsets,
    };
    let hashes_end = embeddings_end + shape.rows * HASH_BYTES;
    let tensors = vec![
        (
            EMBEDDINGS.to_owned(),
            tensor(Dtype::F32, shape.embedding_dim, (0, embeddings_end)),
        ),
        (
            HASHES.to_owned(),
            tensor(Dtype::U8, HASH_BYTES, (embeddings_end, hashes_end)),
        ),
    ];
    let about = [(FINGERPRINT, &shape.fingerprint), (MODEL, &shape.model)];
    let about = about.map(|(name, value)| (name.to_owned(), value.clone()));
    let metadata = Metadata::new(Some(HashMap::from(about)), tensors)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    Ok(())
}

/// Writes what stands before the embeddings in a `.npy` file, version 1.0 of the format.
pub(super) fn write_npy_header(out: &mut impl Write, shape: &Shape) -> Result<()> {
    let Shape {
        rows,
        embedding_dim,
        ..
    } = shape;
    let dictionary =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {embedding_dim}), }}");
    // The magic number, the version, the length and the dictionary with its line break fill a multiple of 64 bytes.
    let length = (10 + dictionary.len() + 1).next_multiple_of(64) - 10;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&(length as u16).to_le_bytes())?;
    writeln!(out, "{dictionary:<width$}", width = length - 1)?;
    Ok(())
}

/// A file of embeddings that is read from its beginning.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) shape: Shape,
    embeddings: BufReader<File>,
    hashes: BufReader<File>,
    row: usize,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Reader> {
        let mut file = File::open(path)?;
        let metadata = read_header(&mut file)?;
        let embeddings = tensor(&metadata, EMBEDDINGS)?;
        let hashes = tensor(&metadata, HASHES)?;
        let [rows, embedding_dim] = embeddings.shape[..] else {
            bail!("its `{EMBEDDINGS}` are not rows of values");
        };
        ensure!(
            embeddings.dtype == Dtype::F32,
            "its `{EMBEDDINGS}` are not of the type F32"
        );
        ensure!(
            hashes.dtype == Dtype::U8 && hashes.shape == [rows, HASH_BYTES],
            "its `{HASHES}` are not {rows} rows of {HASH_BYTES} bytes (U8), as it has embeddings"
        );
        let about = |name| {
            let value = metadata.metadata().as_ref()?.get(name)?;
            Some(value.clone())
        };
        let no_fingerprint = || format!("its metadata lack `{FINGERPRINT}`");
        let shape = Shape {
            rows,
            embedding_dim,
            fingerprint: about(FINGERPRINT).with_context(no_fingerprint)?,
            model: about(MODEL).unwrap_or_default(),
        };
        let data = file.stream_position()?;
        let end = embeddings.data_offsets.1.max(hashes.data_offsets.1) as u64;
        ensure!(file.metadata()?.len() >= data + end, "it is cut off");
        let at = |tensor: &TensorInfo| -> Result<BufReader<File>> {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(data + tensor.data_offsets.0 as u64))?;
            Ok(BufReader::new(file))
        };
        Ok(Reader {
            shape,
            embeddings: at(embeddings)?,
            hashes: at(hashes)?,
            row: 0,
        })
    }

    /// Up to `count` more rows; none at the end.
    pub(super) fn read(&mut self, count: usize) -> Result<Vec<(ContentHash, Embedding)>> {
        let count = count.min(self.shape.rows - self.row);
        (0..count).map(|_| self.read_row()).collect()
    }

    fn read_row(&mut self) -> Result<(ContentHash, Embedding)> {
        self.row += 1;
        let row = self.row;
        let mut vector = vec![0; self.shape.embedding_dim * VALUE_BYTES];
        let mut hash = [0; HASH_BYTES];
        self.embeddings.read_exact(&mut vector)?;
        self.hashes.read_exact(&mut hash)?;
        let embedding = Embedding::from_le_bytes(&vector)
            .with_context(|| format!("the embedding in row {row} is wrong"))?;
        Ok((ContentHash(hash), embedding))
    }
}

fn read_header(file: &mut File) -> Result<Metadata> {
    let not_one = "it is not a safetensors file";
    let mut length = [0; 8];
    file.read_exact(&mut length).context(not_one)?;
    let length = u64::from_le_bytes(length);
    ensure!(length <= MAX_HEADER_BYTES, not_one);
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).context(not_one)?;
    serde_json::from_slice(&header).context(not_one)
}

fn tensor<'a>(metadata: &'a Metadata, name: &str) -> Result<&'a TensorInfo> {
    let missing = || format!("it has no tensor `{name}`");
    metadata.info(name).with_context(missing)
}
