//! The user id of the peer of a loopback connection, as the operating system reports it.

use std::net::SocketAddr;

/// The user id of the peer; `None` when it is unknown or the operating system does not report it.
pub(super) fn user_of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
    #[cfg(target_os = "linux")]
    return linux::user_of(peer, own);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (peer, own);
        None
    }
}

/// The effective user id of this process; `None` where the operating system does not report that of a peer.
pub(super) fn this_user() -> Option<u32> {
    #[cfg(target_os = "linux")]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(target_os = "linux"))]
    None
}

/// One `sock_diag(7)` query to the kernel: exact, and far cheaper than reading the table of all sockets in /proc.
#[cfg(target_os = "linux")]
mod linux {
    use std::net::{IpAddr, SocketAddr};
    use std::time::Duration;

    use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
    use rustix::net::sockopt::{Timeout, set_socket_timeout};
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

    /// The kernel replies at once; where a security policy forbids the query, the lookup gives up after this time.
    const TIMEOUT: Duration = Duration::from_millis(200);
    /// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
    const BY_FAMILY: u16 = 20;
    /// `NLM_F_REQUEST` of linux/netlink.h.
    const REQUEST: u16 = 1;
    const TCP: u8 = 6;
    /// Length of `nlmsghdr`, and the offsets of `idiag_uid` and `idiag_inode` of `inet_diag_msg` in the reply, bytes.
    const HEADER: usize = 16;
    const UID: usize = HEADER + 64;
    const INODE: usize = HEADER + 68;

    pub(super) fn user_of(peer: SocketAddr, own: SocketAddr) -> Option<u32> {
        let reply = query(&request(peer, own)?).ok()?;
        let number = |at: usize| Some(u32::from_ne_bytes(reply.get(at..at + 4)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(reply.get(4..6)?.try_into().ok()?);
        // A closed socket has no owner. The kernel reports it as user 0, with inode 0.
        if kind != BY_FAMILY || number(INODE)? == 0 {
            return None;
        }
        number(UID)
    }

    /// `nlmsghdr` and `inet_diag_req_v2` of linux/inet_diag.h, for the socket that is bound to `peer` and connected to `own`.
    fn request(peer: SocketAddr, own: SocketAddr) -> Option<Vec<u8>> {
        let (family, from, to) = match (peer.ip(), own.ip()) {
            (IpAddr::V4(peer), IpAddr::V4(own)) => (AddressFamily::INET, padded(&peer.octets()), padded(&own.octets())),
            (IpAddr::V6(peer), IpAddr::V6(own)) => (AddressFamily::INET6, peer.octets(), own.octets()),
            _ => return None,
        };
        let mut body = vec![u8::try_from(family.as_raw()).ok()?, TCP, 0, 0];
        body.extend(u32::MAX.to_ne_bytes()); // any state
        body.extend(peer.port().to_be_bytes());
        body.extend(own.port().to_be_bytes());
        body.extend(from);
        body.extend(to);
        body.extend(0_u32.to_ne_bytes()); // any interface
        body.extend([0xFF; 8]); // no cookie
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend(u32::try_from(HEADER + body.len()).ok()?.to_ne_bytes());
        message.extend(BY_FAMILY.to_ne_bytes());
        message.extend(REQUEST.to_ne_bytes());
        message.extend([0; 8]); // sequence and port
        message.extend(body);
        Some(message)
    }

    fn padded(octets: &[u8; 4]) -> [u8; 16] {
        let mut padded = [0; 16];
        padded[..4].copy_from_slice(octets);
        padded
    }

    fn query(request: &[u8]) -> rustix::io::Result<Vec<u8>> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
        set_socket_timeout(&socket, Timeout::Recv, Some(TIMEOUT))?;
        sendto(&socket, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
        let mut reply = vec![0; 1_024];
        let (length, _) = recv(&socket, reply.as_mut_slice(), RecvFlags::empty())?;
        reply.truncate(length);
        Ok(reply)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn an_open_connection_has_a_user_and_a_closed_one_has_none() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (far, peer) = listener.accept().unwrap();
            let own = far.local_addr().unwrap();
            assert_eq!(user_of(peer, own), this_user(), "{address}");
            drop(near);
            assert_eq!(user_of(peer, own), None, "{address}: a closed socket has no user");
            assert_eq!(user_of("127.0.0.1:1".parse().unwrap(), own), None);
        }
    }
}
