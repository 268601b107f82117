//! The way to a folder: every name on it can be taken away, come back, or lead elsewhere.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Links that are followed before the way is taken to lead nowhere, as the kernel does it.
const MOST_HOPS: usize = 40;

/// The way to a folder as it is now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// The folders in which a name of the way stands.
    pub(super) above: BTreeSet<PathBuf>,
    /// Each of these paths leads on, the last one to the folder itself; links stand here with what they lead to.
    pub(super) steps: BTreeSet<PathBuf>,
}

/// The way to an absolute path, as far as it goes; what is not there leads on by its name.
pub(super) fn way_to(path: &Path) -> Way {
    let mut way = Way::default();
    let mut at = PathBuf::new();
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut hops = 0;
    while let Some(part) = rest.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(name)) => {
                let step = at.join(name);
                way.above.insert(std::mem::replace(&mut at, step.clone()));
                if let Ok(target) = step.read_link()
                    && hops < MOST_HOPS
                {
                    hops += 1;
                    at.pop();
                    parts(&target).rev().for_each(|part| rest.push_front(part));
                }
                way.steps.insert(step);
            }
            Some(Component::ParentDir) => drop(at.pop()),
            Some(Component::CurDir) | None => {}
            Some(root @ (Component::RootDir | Component::Prefix(_))) => at.push(root),
        }
    }
    way
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().map(|part| part.as_os_str().to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn set<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> BTreeSet<PathBuf> {
        paths
            .into_iter()
            .map(|path| path.as_ref().to_owned())
            .collect()
    }

    #[test]
    fn each_name_on_the_way_is_a_step() {
        let way = way_to(Path::new("/nowhere/at/all"));
        assert_eq!(way.above, set(["/", "/nowhere", "/nowhere/at"]));
        assert_eq!(
            way.steps,
            set(["/nowhere", "/nowhere/at", "/nowhere/at/all"])
        );
        assert_eq!(way_to(Path::new("/")), Way::default());
    }

    #[test]
    fn links_are_steps_and_so_is_what_they_lead_to() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("disk/one")).unwrap();
        symlink("disk/./one", top.join("current")).unwrap();
        symlink(top.join("disk/../current"), top.join("labels")).unwrap();
        let way = way_to(&top.join("labels"));
        for step in ["labels", "current", "disk", "disk/one"] {
            assert!(way.steps.contains(&top.join(step)), "{step}: {way:?}");
        }
        assert!(way.above.contains(&top) && way.above.contains(&top.join("disk")));
        assert!(!way.above.contains(&top.join("labels")));
    }

    #[test]
    fn a_circle_of_links_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("round");
        symlink(&link, &link).unwrap();
        assert!(way_to(&link.join("deeper")).steps.contains(&link));
    }
}
