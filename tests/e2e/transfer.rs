//! What is known about pictures goes out to other programs, and embeddings come in from elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde_json::Value;

use crate::lab::{COLOURS, Lab, picture};

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write_labels("colours", COLOURS);
    (0..5).for_each(|seed| drop(lab.add(&format!("{seed}.png"), seed)));
    lab
}

fn out(lab: &Lab, name: &str) -> PathBuf {
    lab.labels().with_file_name(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn stdout(output: &Output) -> &str {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    std::str::from_utf8(&output.stdout).unwrap()
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_picture_is_exported_with_all_that_is_known() {
    let lab = lab();
    lab.index();
    let output = lab.run(&["export", "-"]);
    let lines = stdout(&output).lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 5);
    let id = lines[0]["id"].as_str().unwrap().to_owned();
    assert!(lines.iter().all(|line| line["width"] == 64));
    stdout(&lab.run(&["decisions", "confirm", "colours/red", &id]));

    // The same from a library in use, into a file.
    let daemon = lab.serve();
    daemon.wait_for_images(5);
    let file = out(&lab, "all.jsonl");
    let report = lab.json(&["export", text(&file)]);
    assert_eq!(report["images"], 5);
    let first = fs::read_to_string(&file).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["tags"][0]["source"], "person", "{first}");
    assert_eq!(first["decisions"][0]["decision"], "confirmed", "{first}");

    let output = lab.run(&["export", "-", "--format", "csv"]);
    let mut csv = csv::Reader::from_reader(stdout(&output).as_bytes());
    let columns = csv.headers().unwrap().clone();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5);
    let tags = columns.iter().position(|name| name == "tags").unwrap();
    let tags: Value = serde_json::from_str(&rows[0][tags]).unwrap();
    assert_eq!(tags[0]["label"], "red");
}

#[test]
fn embeddings_go_to_another_library_and_are_not_made_again() {
    let first = lab();
    first.index();
    let file = out(&first, "all.safetensors");
    let report = first.json(&["export", "--embeddings", text(&file)]);
    assert_eq!(report["embeddings"], 5);
    let bytes = fs::read(&file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let dim = tensors.tensor("embeddings").unwrap().shape()[1];
    assert_eq!(tensors.tensor("hashes").unwrap().shape(), [5, 32]);
    let npy = out(&first, "all.npy");
    stdout(&first.run(&["export", "--embeddings", text(&npy)]));
    let npy_bytes = fs::read(&npy).unwrap();
    let data = npy_bytes.len() - 5 * dim * 4;
    assert!(npy_bytes.starts_with(b"\x93NUMPY\x01\x00") && data.is_multiple_of(64));
    assert_eq!(
        npy_bytes[data..],
        *tensors.tensor("embeddings").unwrap().data()
    );
    let ids = fs::read_to_string(npy.with_extension("ids")).unwrap();
    let hash = blake3::hash(&picture(0)).to_string();
    assert!(ids.lines().count() == 5 && ids.lines().any(|id| id == hash));

    // Into a library that has seen one of the pictures.
    let second = Lab::new();
    second.add("0.png", 0);
    second.index();
    let report = second.json(&["import", "embeddings", text(&file)]);
    assert_eq!(
        (&report["embeddings"], &report["imported"]),
        (&5.into(), &4.into())
    );
    (1..5).for_each(|seed| drop(second.add(&format!("{seed}.png"), seed)));
    let output = second.run(&["index", text(&second.photos())]);
    assert!(stdout(&output).starts_with("4 indexed"));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!log.contains("batch embedded"), "{log}");
    let again = out(&second, "again.safetensors");
    stdout(&second.run(&["export", "--embeddings", text(&again)]));
    let widths = stdout(&second.run(&["export", "-"]))
        .matches("\"width\":64")
        .count();
    assert_eq!(widths, 5, "metadata are read all the same");
    assert_eq!(rows(&fs::read(&again).unwrap()), rows(&bytes));
    let report = second.json(&["import", "embeddings", text(&file)]);
    assert_eq!(report["imported"], 0);
}

/// Hashes with their embeddings, in the order of the hashes.
fn rows(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let tensors = SafeTensors::deserialize(bytes).unwrap();
    let (embeddings, hashes) = (
        tensors.tensor("embeddings").unwrap(),
        tensors.tensor("hashes").unwrap(),
    );
    let width = embeddings.shape()[1] * 4;
    let rows = hashes
        .data()
        .chunks(32)
        .zip(embeddings.data().chunks(width));
    let mut rows: Vec<_> = rows
        .map(|(hash, row)| (hash.to_vec(), row.to_vec()))
        .collect();
    rows.sort();
    rows
}

#[test]
fn what_does_not_fit_is_refused_by_its_reason() {
    let lab = lab();
    lab.index();
    let file = out(&lab, "all.safetensors");
    stdout(&lab.run(&["export", "--embeddings", text(&file)]));
    let sound = fs::read(&file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        error(&lab.run(&["import", "embeddings", text(&file)]))
    };
    let header = 8 + u64::from_le_bytes(sound[..8].try_into().unwrap()) as usize;
    let changed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let text = std::str::from_utf8(&sound[8..header])
            .unwrap()
            .replacen(from, to, 1);
        [&sound[..8], text.as_bytes(), &sound[header..]].concat()
    };
    assert!(refused(b"short").contains("not a safetensors file"));
    assert!(refused(&[u8::MAX; 64]).contains("not a safetensors file"));
    assert!(refused(&sound[..sound.len() - 1]).contains("it is cut off"));
    assert!(refused(&changed("model_fingerprint", "model_fingerprinx")).contains("metadata lack"));
    assert!(refused(&changed("\"hashes\"", "\"hushes\"")).contains("no tensor `hashes`"));
    let at = sound[..header]
        .windows(19)
        .position(|part| part == b"\"model_fingerprint\"")
        .unwrap();
    let mut other = sound.clone();
    other[at + 21] = if other[at + 21] == b'0' { b'1' } else { b'0' };
    assert!(refused(&other).contains("vectors of two models cannot be compared"));
    for value in [f32::NAN, 7.0] {
        let mut wrong = sound.clone();
        wrong[header..header + 4].copy_from_slice(&value.to_le_bytes());
        assert!(refused(&wrong).contains("the embedding in row 1 is wrong"));
    }
    fs::write(&file, &sound).unwrap();
    let daemon = lab.serve();
    daemon.wait_for_images(5);
    let error = error(&lab.run(&["import", "embeddings", text(&file)]));
    assert!(
        error.contains("in use") || error.contains(&daemon.address),
        "{error}"
    );
    let unknown = lab.run(&["export", "--embeddings", "x.bin"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains(".safetensors"));
}

/// More rows than are read at a time, and only the last one is wrong.
#[test]
fn nothing_is_kept_of_a_file_that_is_wrong_at_its_end() {
    const ROWS: usize = 1_500;
    let lab = lab();
    lab.index();
    let file = out(&lab, "all.safetensors");
    stdout(&lab.run(&["export", "--embeddings", text(&file)]));
    let sound = fs::read(&file).unwrap();
    let (_, about) = SafeTensors::read_metadata(&sound).unwrap();
    let (_, first) = rows(&sound).remove(0);
    let columns = first.len() / 4;
    let mut embeddings = first.repeat(ROWS);
    let hashes: Vec<u8> = (0..ROWS as u32)
        .flat_map(|row| [&[7; 28][..], &row.to_le_bytes()].concat())
        .collect();
    let import = |embeddings: &[u8]| {
        let tensors = [
            (
                "embeddings",
                TensorView::new(Dtype::F32, vec![ROWS, columns], embeddings),
            ),
            (
                "hashes",
                TensorView::new(Dtype::U8, vec![ROWS, 32], &hashes),
            ),
        ];
        let tensors = tensors.map(|(name, tensor)| (name, tensor.unwrap()));
        fs::write(&file, serialize(tensors, about.metadata().clone()).unwrap()).unwrap();
        lab.run(&["import", "embeddings", text(&file)])
    };
    let good = embeddings.clone();
    let last = embeddings.len() - 4;
    embeddings[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(error(&import(&embeddings)).contains("row 1500 is wrong"));
    assert_eq!(
        stdout(&import(&good)).trim(),
        "1500 of 1500 embeddings imported"
    );
}
