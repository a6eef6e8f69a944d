//! Where a request comes from, as far as somebody there can not change it at will.

use std::net::{IpAddr, Ipv6Addr};

use crate::Peer;

/// An IPv4 address, or the first 64 bits of an IPv6 address: the rest of those is each household's own to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        // A socket for both writes IPv4 addresses as IPv6: with their first 64 bits alone they would all be one.
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        })
    }
}

impl Peer {
    /// The network of the address.
    #[must_use]
    pub fn network(self) -> Network {
        self.0.ip().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Peer(format!("{address}:1").parse().expect("an address")).network()
    }

    #[test]
    fn a_network_is_what_its_owner_can_not_choose() {
        assert_eq!(network("[2001:db8:1:2::1]"), network("[2001:db8:1:2:ffff:ffff:ffff:ffff]"));
        assert_ne!(network("[2001:db8:1:2::1]"), network("[2001:db8:1:3::1]"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("[::ffff:192.0.2.1]"), network("192.0.2.1"));
        assert_ne!(network("[::ffff:192.0.2.1]"), network("[::ffff:192.0.2.2]"));
    }
}
