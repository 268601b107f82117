//! What stays of a file that another one takes the place of: its mode, and its owner where that may be given away.

use std::fs::{File, Metadata};
use std::io;

/// Gives a new file what the one had whose place it will take.
pub(crate) fn keep(file: &File, before: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let now = file.metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            // Only root gives files away; whoever may write here is the owner then. A group can still be kept.
            let all = fchown(file, Some(before.uid()), Some(before.gid()));
            let _ = all.or_else(|_| fchown(file, None, Some(before.gid())));
        }
    }
    // Last: a change of owner takes bits of the mode away.
    file.set_permissions(before.permissions())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn mode_and_owner_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        std::fs::write(&old, "").unwrap();
        std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o664)).unwrap();
        // Somebody else's, where this is run by root.
        let _ = std::os::unix::fs::chown(&old, Some(1234), Some(1234));
        let before = std::fs::metadata(&old).unwrap();
        let file = File::create(&new).unwrap();
        keep(&file, &before).unwrap();
        let after = file.metadata().unwrap();
        assert_eq!(
            (after.mode(), after.uid(), after.gid()),
            (before.mode(), before.uid(), before.gid())
        );
    }
}
