//! The resources that are followed, each once however many devices it serves.
//!
//! A node is one address read as one kind of resource. It is followed for as long as a device or
//! another node refers to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::DeviceIndex;
use super::content::Content;
use super::event::Extent;

/// Addresses followed at once; further ones are not.
pub const MAX_NODES: usize = 400_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeId(u32);

/// How a resource is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    DeviceCapability,
    Time,
    EndDevices,
    Registration,
    Ders,
    Assignments,
    Programs,
    /// The controls of the programme with this mRID.
    Controls(u128),
    DefaultControl(u128),
    Curve,
    UsagePoint,
    /// Programmes of demand response.
    LoadPrograms,
    /// The end device controls of the programme with this mRID.
    LoadControls(u128),
    Tariffs,
    /// Of the tariff with this mRID.
    RateComponents(u128),
    /// Of the rate component with this mRID.
    Intervals(u128),
    Prices,
    Subscriptions,
}

/// Who refers to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parent {
    Client,
    Device(DeviceIndex),
    Node(NodeId),
}

/// How notifications of a node stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Subscribed {
    /// It is polled.
    #[default]
    No,
    /// The server does not take a subscription to it.
    Refused,
    /// At this address on the server.
    At(Arc<str>),
}

/// A node that is followed no more, and how notifications of it stood.
pub(super) type Gone = (NodeId, Subscribed);

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) href: Arc<str>,
    parents: BTreeSet<Parent>,
    children: Vec<NodeId>,
    pub(super) content: Content,
    /// What was last read, as it came: the pages of a list, or one body.
    pub(super) bodies: Vec<Vec<u8>>,
    /// Pages of a list that is still being read, and how many members they have.
    pub(super) reading: Vec<Vec<u8>>,
    pub(super) members_read: usize,
    pub(super) is_loaded: bool,
    /// Whether the list came in one page, or twice the same: one that changes between two pages
    /// may leave a member out.
    pub(super) is_settled: bool,
    pub(super) extent: Extent,
    /// How often the server wants it read.
    pub(super) poll_rate: Option<Duration>,
    /// The server offers to tell of changes.
    pub(super) is_subscribable: bool,
    pub(super) subscribed: Subscribed,
}

impl Node {
    /// Whether `body` is what was read last, and all of it.
    pub(super) fn is_repeated(&self, body: &[u8]) -> bool {
        let is_whole = self.is_loaded && self.reading.is_empty();
        is_whole && matches!(self.bodies.as_slice(), [kept] if kept == body)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    nodes: BTreeMap<NodeId, Node>,
    by_href: BTreeMap<(Arc<str>, Kind), NodeId>,
    next: u32,
}

impl Graph {
    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    pub(super) fn find(&self, kind: Kind, href: &str) -> Option<NodeId> {
        self.by_href.get(&(href.into(), kind)).copied()
    }

    /// Every node at an address, whatever it is read as.
    pub(super) fn at<'a>(&'a self, href: &'a str) -> impl Iterator<Item = NodeId> + 'a {
        let from = (Arc::from(href), Kind::DeviceCapability);
        let here = self.by_href.range(from..);
        let here = here.take_while(move |((at, _), _)| &**at == href);
        here.map(|(_, id)| *id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().map(|(id, node)| (*id, node))
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether a list shows all its members.
    pub(super) fn extent(&self, id: NodeId) -> Extent {
        self.nodes.get(&id).map_or(Extent::Part, |node| node.extent)
    }

    /// The node for `href`, and whether it is new. None when too many are followed.
    pub(super) fn refer(
        &mut self,
        parent: Parent,
        kind: Kind,
        href: &str,
    ) -> Option<(NodeId, bool)> {
        if let Some(id) = self.find(kind, href) {
            self.nodes.get_mut(&id)?.parents.insert(parent);
            return Some((id, false));
        }
        if MAX_NODES <= self.nodes.len() {
            return None;
        }
        let (id, href) = (NodeId(self.next), Arc::<str>::from(href));
        self.next = self.next.checked_add(1)?;
        let node = Node {
            kind,
            href: Arc::clone(&href),
            parents: BTreeSet::from([parent]),
            children: Vec::new(),
            content: Content::Unknown,
            bodies: Vec::new(),
            reading: Vec::new(),
            members_read: 0,
            is_loaded: false,
            is_settled: false,
            extent: Extent::Part,
            poll_rate: None,
            is_subscribable: false,
            subscribed: Subscribed::No,
        };
        self.nodes.insert(id, node);
        self.by_href.insert((href, kind), id);
        Some((id, true))
    }

    /// Replaces what `parent` refers to by `children`, and forgets what nobody refers to any more.
    /// Returns what is gone.
    pub(super) fn adopt(&mut self, parent: NodeId, mut children: Vec<NodeId>) -> Vec<Gone> {
        children.sort_unstable();
        children.dedup();
        let Some(node) = self.nodes.get_mut(&parent) else {
            return Vec::new();
        };
        let before = std::mem::replace(&mut node.children, children.clone());
        let dropped = before
            .into_iter()
            .filter(|it| children.binary_search(it).is_err());
        self.release(Parent::Node(parent), dropped.collect())
    }

    /// `parent` no longer refers to `children`.
    pub(super) fn release(&mut self, parent: Parent, children: Vec<NodeId>) -> Vec<Gone> {
        let mut gone = Vec::new();
        let mut left: Vec<(Parent, NodeId)> = children.into_iter().map(|it| (parent, it)).collect();
        while let Some((parent, child)) = left.pop() {
            let Some(node) = self.nodes.get_mut(&child) else {
                continue;
            };
            node.parents.remove(&parent);
            if node.parents.is_empty() {
                left.extend(node.children.iter().map(|it| (Parent::Node(child), *it)));
                self.by_href.remove(&(Arc::clone(&node.href), node.kind));
                let node = self.nodes.remove(&child);
                gone.extend(node.map(|node| (child, node.subscribed)));
            }
        }
        gone
    }

    pub(super) fn children(&self, id: NodeId) -> &[NodeId] {
        self.nodes.get(&id).map_or(&[], |node| &node.children)
    }

    /// The nodes that refer to `id`.
    pub(super) fn referrers(&self, id: NodeId) -> Vec<NodeId> {
        let parents = self.nodes.get(&id).map(|node| &node.parents);
        let parents = parents.into_iter().flatten();
        let nodes = parents.filter_map(|parent| match parent {
            Parent::Node(id) => Some(*id),
            Parent::Client | Parent::Device(_) => None,
        });
        nodes.collect()
    }

    /// The devices that refer to `id`, directly or through other nodes.
    pub(super) fn devices(&self, id: NodeId) -> BTreeSet<DeviceIndex> {
        let mut devices = BTreeSet::new();
        let mut seen = BTreeSet::from([id]);
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let parents = self.nodes.get(&id).map(|node| &node.parents);
            for parent in parents.into_iter().flatten() {
                match parent {
                    Parent::Device(device) => _ = devices.insert(*device),
                    Parent::Node(id) if seen.insert(*id) => left.push(*id),
                    Parent::Node(_) | Parent::Client => {}
                }
            }
        }
        devices
    }
}
