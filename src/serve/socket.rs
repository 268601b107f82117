//! What is listened on: an address, and where the owner asks for it a Unix socket, which nobody else can open.

use std::io;

use tokio::net::TcpListener;

use super::asker::Peer;

/// A connection of either sort.
#[cfg(unix)]
pub(super) type Stream = tokio_util::either::Either<tokio::net::TcpStream, tokio::net::UnixStream>;
#[cfg(not(unix))]
pub(super) type Stream = tokio::net::TcpStream;

/// Where connections come from.
#[derive(Debug)]
pub(crate) struct Listeners {
    address: TcpListener,
    #[cfg(unix)]
    socket: Option<unix::Socket>,
}

impl Listeners {
    /// An address alone.
    pub(crate) fn new(address: TcpListener) -> Listeners {
        Listeners {
            address,
            #[cfg(unix)]
            socket: None,
        }
    }

    /// The same, and a socket at this path.
    #[cfg(unix)]
    pub(crate) fn and_socket(self, path: &std::path::Path) -> io::Result<Listeners> {
        Ok(Listeners {
            socket: Some(unix::Socket::bind(path)?),
            ..self
        })
    }

    #[cfg(not(unix))]
    pub(crate) fn and_socket(self, _path: &std::path::Path) -> io::Result<Listeners> {
        let reason = "there are no Unix sockets on this system: leave http.socket empty";
        Err(io::Error::new(io::ErrorKind::Unsupported, reason))
    }

    /// The next connection, and who is at its other end.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            return tokio::select! {
                accepted = self.accept_address() => accepted,
                accepted = socket.accept() => Ok((Stream::Right(accepted?), Peer(None))),
            };
        }
        self.accept_address().await
    }

    async fn accept_address(&self) -> io::Result<(Stream, Peer)> {
        let (stream, address) = self.address.accept().await?;
        // Small answers are not held back for more to come.
        let _ = stream.set_nodelay(true);
        #[cfg(unix)]
        let stream = Stream::Left(stream);
        Ok((stream, Peer(Some(address.ip()))))
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::{self, Permissions};
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    use std::os::unix::net::UnixStream as BlockingStream;
    use std::path::{Path, PathBuf};

    use tokio::net::{UnixListener, UnixStream};

    /// A socket, whose file goes with it.
    #[derive(Debug)]
    pub(super) struct Socket {
        listener: UnixListener,
        path: PathBuf,
    }

    impl Socket {
        /// Takes the place of a socket that a killed daemon left behind, and of nothing else.
        pub(super) fn bind(path: &Path) -> io::Result<Socket> {
            let is_socket = |path: &Path| {
                fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
            };
            if is_socket(path) {
                match BlockingStream::connect(path) {
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        fs::remove_file(path)?;
                    }
                    Err(error) => return Err(error),
                    Ok(_) => return Err(ErrorKind::AddrInUse.into()),
                }
            }
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            Ok(Socket {
                listener,
                path: path.to_owned(),
            })
        }

        pub(super) async fn accept(&self) -> io::Result<UnixStream> {
            Ok(self.listener.accept().await?.0)
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            // It may be gone already.
            let _ = fs::remove_file(&self.path);
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[tokio::test]
        async fn a_socket_takes_the_place_of_one_that_is_dead_and_of_nothing_else() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("http.sock");
            let socket = Socket::bind(&path).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(
                Socket::bind(&path).unwrap_err().kind(),
                ErrorKind::AddrInUse
            );
            drop(socket);
            assert!(!path.exists());
            // As after a kill: the file is there, and nobody behind it.
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            assert!(path.exists());
            drop(Socket::bind(&path).unwrap());
            fs::write(&path, "a file").unwrap();
            assert!(Socket::bind(&path).is_err());
            assert_eq!(fs::read(&path).unwrap(), b"a file");
        }
    }
}
