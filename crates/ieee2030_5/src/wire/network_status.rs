//! Network status: interfaces, addresses, neighbours, routes.

use crate::codec::simple::{AnyUri, HexBinary8, HexBinary64, HexBinary128, Text};
use crate::codec::table::complex;
use crate::wire::link::ListLink;

complex! {
    /// Counters of an interface, as RFC 2863 has them.
    pub struct IpInterface("IPInterface") {
        @opt href: AnyUri = "href",
        opt if_descr: Text<192> = "ifDescr",
        opt if_high_speed: u32 = "ifHighSpeed",
        opt if_in_broadcast_pkts: u32 = "ifInBroadcastPkts",
        opt if_index: u32 = "ifIndex",
        opt if_in_discards: u32 = "ifInDiscards",
        opt if_in_errors: u32 = "ifInErrors",
        opt if_in_multicast_pkts: u32 = "ifInMulticastPkts",
        opt if_in_octets: u32 = "ifInOctets",
        opt if_in_ucast_pkts: u32 = "ifInUcastPkts",
        opt if_in_unknown_protos: u32 = "ifInUnknownProtos",
        opt if_mtu: u32 = "ifMtu",
        opt if_name: Text<16> = "ifName",
        opt if_oper_status: u8 = "ifOperStatus",
        opt if_out_broadcast_pkts: u32 = "ifOutBroadcastPkts",
        opt if_out_discards: u32 = "ifOutDiscards",
        opt if_out_errors: u32 = "ifOutErrors",
        opt if_out_multicast_pkts: u32 = "ifOutMulticastPkts",
        opt if_out_octets: u32 = "ifOutOctets",
        opt if_out_ucast_pkts: u32 = "ifOutUcastPkts",
        opt if_promiscuous_mode: bool = "ifPromiscuousMode",
        opt if_speed: u32 = "ifSpeed",
        opt if_type: u16 = "ifType",
        opt ip_addr_list_link: ListLink = "IPAddrListLink",
        opt last_reset_time: i64 = "lastResetTime",
        opt last_updated_time: i64 = "lastUpdatedTime",
        opt ll_interface_list_link: ListLink = "LLInterfaceListLink",
    }

    /// Interfaces of a device.
    pub struct IpInterfaceList("IPInterfaceList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many ip_interface: IpInterface = "IPInterface",
    }

    /// One address of an interface.
    pub struct IpAddr("IPAddr") {
        @opt href: AnyUri = "href",
        one address: HexBinary128 = "address",
        opt rpl_instance_list_link: ListLink = "RPLInstanceListLink",
    }

    /// Addresses of an interface.
    pub struct IpAddrList("IPAddrList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many ip_addr: IpAddr = "IPAddr",
    }

    /// Counters of a link layer.
    pub struct LlInterface("LLInterface") {
        @opt href: AnyUri = "href",
        one crc_errors: u32 = "CRCerrors",
        one eui64: HexBinary64 = "EUI64",
        opt ieee_802_15_4: Ieee802154 = "IEEE_802_15_4",
        one link_layer_type: u8 = "linkLayerType",
        opt ll_ack_not_rx: u32 = "LLAckNotRx",
        opt ll_csma_fail: u32 = "LLCSMAFail",
        opt ll_frames_drop_rx: u32 = "LLFramesDropRx",
        opt ll_frames_drop_tx: u32 = "LLFramesDropTx",
        opt ll_frames_rx: u32 = "LLFramesRx",
        opt ll_frames_tx: u32 = "LLFramesTx",
        opt ll_media_access_fail: u32 = "LLMediaAccessFail",
        opt ll_octets_rx: u32 = "LLOctetsRx",
        opt ll_octets_tx: u32 = "LLOctetsTx",
        opt ll_retry_count: u32 = "LLRetryCount",
        opt ll_security_error_rx: u32 = "LLSecurityErrorRx",
        opt lowpan: LoWpan = "loWPAN",
    }

    /// Link layers of an interface.
    pub struct LlInterfaceList("LLInterfaceList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many ll_interface: LlInterface = "LLInterface",
    }

    /// What is particular to a radio of that kind.
    pub struct Ieee802154("IEEE_802_15_4") {
        one capability_info: HexBinary8 = "capabilityInfo",
        opt neighbor_list_link: ListLink = "NeighborListLink",
        one short_address: u16 = "shortAddress",
    }

    /// Counters of the adaptation layer.
    pub struct LoWpan("loWPAN") {
        opt octets_rx: u32 = "octetsRx",
        opt octets_tx: u32 = "octetsTx",
        one packets_rx: u32 = "packetsRx",
        one packets_tx: u32 = "packetsTx",
        one rx_frag_error: u32 = "rxFragError",
    }

    /// A radio that can be heard.
    pub struct Neighbor("Neighbor") {
        @opt href: AnyUri = "href",
        one is_child: bool = "isChild",
        one link_quality: u8 = "linkQuality",
        one short_address: u16 = "shortAddress",
    }

    /// Radios that can be heard.
    pub struct NeighborList("NeighborList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many neighbor: Neighbor = "Neighbor",
    }

    /// A routing instance, as RFC 6550 has it.
    pub struct RplInstance("RPLInstance") {
        @opt href: AnyUri = "href",
        one dodag_id: u8 = "DODAGid",
        one dodag_root: bool = "DODAGroot",
        one flags: u8 = "flags",
        one grounded_flag: bool = "groundedFlag",
        one mop: u8 = "MOP",
        one prf: u8 = "PRF",
        one rank: u16 = "rank",
        one rpl_instance_id: u8 = "RPLInstanceID",
        opt rpl_source_routes_list_link: ListLink = "RPLSourceRoutesListLink",
        one version_number: u8 = "versionNumber",
    }

    /// Routing instances of an address.
    pub struct RplInstanceList("RPLInstanceList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many rpl_instance: RplInstance = "RPLInstance",
    }

    /// A source route.
    pub struct RplSourceRoutes("RPLSourceRoutes") {
        @opt href: AnyUri = "href",
        one dest_address: HexBinary128 = "DestAddress",
        one source_route: HexBinary128 = "SourceRoute",
    }

    /// Source routes of a routing instance.
    pub struct RplSourceRoutesList("RPLSourceRoutesList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many rpl_source_routes: RplSourceRoutes = "RPLSourceRoutes",
    }
}
