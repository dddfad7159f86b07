//! State messages for systemd: a datagram to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

const SOCKET: &str = "NOTIFY_SOCKET";

/// The state of a mount that answers.
pub(crate) const READY: &str = "READY=1";
/// The state of a mount that is about to end.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Sends a state to the service manager, if `NOTIFY_SOCKET` is set. A failure is only logged.
pub(crate) fn notify(state: &str) {
    let Some(socket) = std::env::var_os(SOCKET) else { return };
    if let Err(error) = send(&socket, state) {
        log::warn!("{SOCKET}={}: {error}", socket.display());
    }
}

/// Sends a state to a socket. A name that begins with `@` is in the abstract namespace, which has no files.
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_arrives_at_a_path_socket_and_at_an_abstract_socket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let abstract_name = format!("ckptfs-test-{}", std::process::id());
        let ends = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&abstract_name).unwrap()).unwrap(),
                format!("@{abstract_name}").into(),
            ),
        ];
        for (end, name) in ends {
            send(&name, READY).unwrap();
            let mut told = [0; 64];
            let n = end.recv(&mut told).unwrap();
            assert_eq!(&told[..n], READY.as_bytes());
        }
        assert!(send(OsStr::new("/nonexistent/notify"), READY).is_err());
    }
}
