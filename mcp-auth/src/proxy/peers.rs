//! The addresses that trusted proxies speak from.

use std::net::IpAddr;

/// The networks that proxies are in. Empty, it has nobody in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    networks: Vec<Network>,
    faults: Vec<String>,
    any: bool,
}

impl Peers {
    pub(super) fn add(&mut self, network: &str) {
        match Network::parse(network) {
            Ok(network) => self.networks.push(network),
            Err(fault) => self.faults.push(fault),
        }
    }

    pub(super) fn allow_any(&mut self) {
        self.any = true;
    }

    pub(super) fn is_any(&self) -> bool {
        self.any
    }

    /// Was nothing said about them?
    pub(super) fn is_unsaid(&self) -> bool {
        !self.any && self.networks.is_empty() && self.faults.is_empty()
    }

    pub(super) fn contains(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.any || self.networks.iter().any(|network| network.contains(peer))
    }

    pub(super) fn problems(&self) -> impl Iterator<Item = String> {
        let both = (self.any && !(self.networks.is_empty() && self.faults.is_empty()))
            .then(|| "`.any_peer()` makes the list of `.peers(..)` count for nothing: take one of them out".to_owned());
        self.faults.iter().cloned().chain(both)
    }
}

/// Addresses with a common prefix. IPv4 addresses that are mapped into IPv6 are IPv4 addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    fn parse(text: &str) -> Result<Self, String> {
        const ALLOWED: &str = "an IP address (`127.0.0.1`) or a network (`10.0.0.0/8`, `fd00::/8`) is needed";
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let written: IpAddr = address.parse().map_err(|_| format!("the peer `{text}` is no address: {ALLOWED}"))?;
        let bits = bits_of(written);
        let prefix =
            match prefix {
                None => bits,
                Some(prefix) if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) => {
                    return Err(format!("the peer `{text}` has no length after its slash: {ALLOWED}"));
                }
                Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= bits).ok_or_else(|| {
                    format!("the peer `{text}` has a prefix of more bits than an address has, which are {bits}")
                })?,
            };
        if prefix == 0 {
            return Err(format!("the peer `{text}` is every address: say `.any_peer()` if that is meant"));
        }
        let network = match written.to_canonical() {
            address if bits_of(address) == bits => Self { address, prefix },
            _ if prefix < 96 => {
                return Err(format!("the peer `{text}` is more than the IPv4 addresses that it names: {ALLOWED}"));
            }
            address => Self { address, prefix: prefix - 96 },
        };
        if network.prefix == 0 {
            return Err(format!("the peer `{text}` is every IPv4 address: say `.any_peer()` if that is meant"));
        }
        let first = network.first();
        if first == network.address {
            Ok(network)
        } else {
            let prefix = network.prefix;
            Err(format!("the peer `{text}` names a network by an address inside it: write `{first}/{prefix}`, or one address"))
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(address)) => (ours.to_bits() ^ address.to_bits()) & self.mask_v4() == 0,
            (IpAddr::V6(ours), IpAddr::V6(address)) => (ours.to_bits() ^ address.to_bits()) & self.mask_v6() == 0,
            _ => false,
        }
    }

    /// Its first address.
    fn first(self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => IpAddr::V4((address.to_bits() & self.mask_v4()).into()),
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & self.mask_v6()).into()),
        }
    }

    fn mask_v4(self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0)
    }

    fn mask_v6(self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0)
    }
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(networks: &[&str], peer: &str) -> bool {
        let mut peers = Peers::default();
        networks.iter().for_each(|network| peers.add(network));
        assert_eq!(peers.problems().collect::<Vec<_>>(), [""; 0]);
        peers.contains(peer.parse().expect("an address"))
    }

    #[test]
    fn an_address_is_in_its_network() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("128.0.0.0/1", "255.255.255.255", "127.255.255.255"),
            ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
            ("127.0.0.1/32", "::ffff:127.0.0.1", "::1"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.0"),
            ("2001:db8::/127", "2001:db8::1", "2001:db8::2"),
        ] {
            assert!(contains(&[network], inside), "{inside} in {network}");
            assert!(!contains(&[network], outside), "{outside} in {network}");
        }
        assert!(contains(&["10.0.0.0/8", "::1"], "::1"));
        assert!(!contains(&[], "127.0.0.1"));
    }

    #[test]
    fn what_is_no_network_is_told() {
        let told = |network: &str| Network::parse(network).expect_err(network);
        for (network, part) in [
            ("", "no address"),
            ("localhost", "`localhost` is no address"),
            ("10.0.0.0/", "no length"),
            ("10.0.0.0/+8", "no length"),
            ("10.0.0.0/33", "which are 32"),
            ("fd00::/129", "which are 128"),
            ("10.0.0.0/255.0.0.0", "no length"),
            ("10.0.0.0/999999999999", "more bits"),
            ("10.1.2.3/8", "write `10.0.0.0/8`"),
            ("fd00::1/8", "write `fd00::/8`"),
            ("0.0.0.0/0", "`.any_peer()`"),
            ("::/0", "`.any_peer()`"),
            ("::ffff:0.0.0.0/96", "`.any_peer()`"),
            ("::ffff:10.0.0.0/90", "more than the IPv4 addresses"),
            (" 10.0.0.1", "no address"),
            ("fe80::1%eth0", "no address"),
        ] {
            assert!(told(network).contains(part), "{network}: {}", told(network));
        }
    }
}
