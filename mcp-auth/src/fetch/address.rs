//! Which addresses are of the public network, and which could be a neighbour's, or our own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// May a URL that a stranger's document names lead to this address?
///
/// Not where the address is private, shared, of this machine or this link, reserved, or for documentation (RFC 6890 and the
/// registries that it founded), or serves a cloud's metadata. Addresses that carry an IPv4 address (NAT64) are judged by that
/// one; where nobody has a reason to carry one (mapped, 6to4, Teredo), none is public.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // Azure's host agent answers at a public address, to every machine that asks from inside.
    const AZURE: [u8; 4] = [168, 63, 129, 16];
    let octets = address.octets();
    let reserved = match octets {
        // This network, this machine, multicast and reserved.
        [0 | 127 | 224.., ..] => true,
        // Private.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // Shared by a carrier's customers: RFC 6598. Alibaba's metadata is among them.
        [100, 64..=127, ..] => true,
        // This link: the metadata of most clouds.
        [169, 254, ..] => true,
        // Protocols' own, of which Oracle's metadata is one; relays of 6to4.
        [192, 0, 0, _] | [192, 88, 99, _] => true,
        // Documentation and benchmarks.
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18..=19, ..] => true,
        _ => false,
    };
    !reserved && octets != AZURE
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Where there is only IPv6, every host that has only IPv4 looks like this: RFC 6052.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))),
        // Protocols' own, Teredo and benchmarks; documentation; 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2002, ..] => false,
        // All that was ever given out (RFC 4291 section 2.4). Outside are loopback, mapped, local and multicast addresses.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(addresses: &[&str]) -> Vec<bool> {
        addresses.iter().map(|text| is_public(text.parse().unwrap_or_else(|_| panic!("{text} is no address")))).collect()
    }

    fn all(expected: bool, addresses: &[&str]) {
        for (address, verdict) in addresses.iter().zip(verdicts(addresses)) {
            assert_eq!(verdict, expected, "{address}");
        }
    }

    #[test]
    fn public_addresses_are_public() {
        all(true, &["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"]);
        all(true, &["169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"]);
        all(true, &["192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.15"]);
        all(true, &["2000::1", "2001:200::1", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "3fff:1000::1"]);
    }

    #[test]
    fn addresses_of_machines_links_and_neighbours_are_not() {
        all(false, &["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "10.0.0.0", "10.255.255.255"]);
        all(false, &["172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255", "100.64.0.0", "100.127.255.255"]);
        all(false, &["169.254.0.0", "169.254.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"]);
        all(false, &["::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fdff::1", "ff02::1", "100::1", "5f00::1"]);
    }

    #[test]
    fn addresses_of_documents_and_protocols_are_not() {
        all(false, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.0", "198.19.255.255", "192.0.0.8", "192.88.99.1"]);
        all(false, &["2001:db8::1", "2001:db8:ffff::", "3fff::1", "3fff:fff::1", "2001::1", "2001:2::1", "2001:1ff::1"]);
    }

    #[test]
    fn addresses_of_metadata_are_not() {
        all(false, &["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"]);
    }

    #[test]
    fn an_address_within_another_hides_nothing() {
        all(
            false,
            &["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "::ffff:0:a00:1"],
        );
        all(false, &["64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8"]);
        all(false, &["2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:808:808::1", "2001:0:808:808::1"]);
        all(true, &["64:ff9b::8.8.8.8"]);
    }
}
