//! A file system that tells nobody what changes in it, as a network drive: one folder of files, served over `/dev/fuse`.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// From `linux/fuse.h`.
mod opcode {
    pub(super) const LOOKUP: u32 = 1;
    pub(super) const FORGET: u32 = 2;
    pub(super) const GETATTR: u32 = 3;
    pub(super) const OPEN: u32 = 14;
    pub(super) const READ: u32 = 15;
    pub(super) const RELEASE: u32 = 18;
    pub(super) const INIT: u32 = 26;
    pub(super) const OPENDIR: u32 = 27;
    pub(super) const READDIR: u32 = 28;
    pub(super) const RELEASEDIR: u32 = 29;
    pub(super) const BATCH_FORGET: u32 = 42;
}

const ENOENT: i32 = 2;
const ENOSYS: i32 = 38;
const HEADER: usize = 40;

type Files = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// The served folder. Its node is 1, that of each file two more than its place.
pub(crate) struct Remote {
    files: Files,
    descriptor: i32,
}

impl Remote {
    /// None where this user may not serve a file system.
    pub(crate) fn start() -> Option<Remote> {
        let device = File::options()
            .read(true)
            .write(true)
            .open("/dev/fuse")
            .ok()?;
        // The command that mounts inherits it.
        rustix::io::fcntl_setfd(&device, rustix::io::FdFlags::empty()).ok()?;
        let files = Files::default();
        let remote = Remote {
            files: Arc::clone(&files),
            descriptor: device.as_raw_fd(),
        };
        thread::spawn(move || serve(device, &files));
        Some(remote)
    }

    /// What mounts it.
    pub(crate) fn mount(&self, point: &str) -> String {
        let descriptor = self.descriptor;
        format!(
            "mount -i -t fuse -o fd={descriptor},rootmode=40000,user_id=0,group_id=0 none '{point}'"
        )
    }

    /// Somebody elsewhere adds a file.
    pub(crate) fn add(&self, name: &str, bytes: Vec<u8>) {
        self.files.lock().unwrap().push((name.to_owned(), bytes));
    }
}

fn serve(mut device: File, files: &Files) {
    let mut request = vec![0; 1 << 20];
    loop {
        let length = match device.read(&mut request) {
            Ok(length) => length,
            // Not mounted yet.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            // A request was taken back, or the mount is gone.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(_) => return,
        };
        let Some(answer) = answer(&request[..length], &files.lock().unwrap()) else {
            continue;
        };
        let (error, body) = answer.map_or_else(|error| (-error, Vec::new()), |body| (0, body));
        let mut bytes = ((16 + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(error.to_ne_bytes());
        bytes.extend(&request[8..16]);
        bytes.extend(body);
        let _ = device.write(&bytes);
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// None where no answer is wanted; else its body, or an error's number.
fn answer(request: &[u8], files: &[(String, Vec<u8>)]) -> Option<Result<Vec<u8>, i32>> {
    let node = u64_at(request, 16);
    let body = &request[HEADER..];
    Some(match u32_at(request, 4) {
        opcode::INIT => {
            let mut init = [7, 31, 0, 0, 0, 1 << 16, 1].map(u32::to_ne_bytes).concat();
            init.resize(64, 0);
            Ok(init)
        }
        opcode::LOOKUP => {
            let named = |(name, _): &(String, _)| name.as_bytes() == &body[..body.len() - 1];
            match files.iter().position(named) {
                Some(place) => {
                    let node = place as u64 + 2;
                    let mut entry = [node, 0, 0, 0, 0].map(u64::to_ne_bytes).concat();
                    entry.extend(attributes(node, files));
                    Ok(entry)
                }
                None => Err(ENOENT),
            }
        }
        opcode::GETATTR => Ok([vec![0; 16], attributes(node, files)].concat()),
        opcode::OPEN | opcode::OPENDIR => Ok(vec![0; 16]),
        opcode::READ => Ok(part(&files[node as usize - 2].1, body).to_vec()),
        opcode::READDIR => Ok(part(&entries(files), body).to_vec()),
        opcode::RELEASE | opcode::RELEASEDIR => Ok(Vec::new()),
        opcode::FORGET | opcode::BATCH_FORGET => return None,
        _ => Err(ENOSYS),
    })
}

/// What a request to read asks for.
fn part<'a>(bytes: &'a [u8], body: &[u8]) -> &'a [u8] {
    let from = bytes.len().min(u64_at(body, 8) as usize);
    let to = bytes.len().min(from + u32_at(body, 16) as usize);
    &bytes[from..to]
}

fn attributes(node: u64, files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let (size, mode) = match node {
        1 => (0, 0o040_755),
        _ => (files[node as usize - 2].1.len() as u64, 0o100_644),
    };
    // In 2001.
    let time = 1_000_000_000;
    let mut bytes = [node, size, size / 512, time, time, time]
        .map(u64::to_ne_bytes)
        .concat();
    let rest: [u32; 10] = [0, 0, 0, mode, 1, 0, 0, 0, 4096, 0];
    bytes.extend(rest.map(u32::to_ne_bytes).concat());
    bytes
}

/// The folder's entries. A place among them is a place among bytes: a part starts where the last one ended.
fn entries(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, (name, _)) in files.iter().enumerate() {
        let length = 24 + name.len().next_multiple_of(8);
        let next = (bytes.len() + length) as u64;
        bytes.extend([place as u64 + 2, next].map(u64::to_ne_bytes).concat());
        bytes.extend([name.len() as u32, 8].map(u32::to_ne_bytes).concat());
        bytes.extend(name.as_bytes());
        bytes.resize(next as usize, 0);
    }
    bytes
}
