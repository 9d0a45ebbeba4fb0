//! Lists that come in pages.

use crate::codec::read::{Complex, ReadError, read};
use crate::wire::der::{Der, DerList};
use crate::wire::der_control::{DerControl, DerControlList, DerProgram, DerProgramList};
use crate::wire::end_device::{EndDevice, EndDeviceList};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};

/// Members asked for at once.
pub(super) const PAGE_LEN: usize = 32;
/// Pages read of one list; what lies beyond is not looked at.
pub const MAX_PAGES: usize = 32;

/// One page of a list.
pub(super) struct Page<M> {
    all: u32,
    poll_rate_s: Option<u32>,
    members: Vec<M>,
}

/// A list resource.
pub(super) trait List: Complex {
    type Member;

    fn page(self) -> Page<Self::Member>;
}

macro_rules! lists {
    ($($List:ident of $Member:ident in $field:ident, $poll_rate:expr;)*) => {$(
        impl List for $List {
            type Member = $Member;

            fn page(self) -> Page<$Member> {
                let poll_rate: fn(&Self) -> Option<u32> = $poll_rate;
                Page { all: self.all, poll_rate_s: poll_rate(&self), members: self.$field }
            }
        }
    )*};
}

lists! {
    EndDeviceList of EndDevice in end_device, |list| list.poll_rate;
    DerList of Der in der, |list| list.poll_rate;
    FunctionSetAssignmentsList of FunctionSetAssignments in function_set_assignments,
        |list| list.poll_rate;
    DerProgramList of DerProgram in der_program, |list| list.poll_rate;
    DerControlList of DerControl in der_control, |_| None;
}

/// A list as far as it has been read.
pub(super) struct Whole<M> {
    pub(super) members: Vec<M>,
    pub(super) poll_rate_s: Option<u32>,
    pub(super) is_complete: bool,
}

/// Puts the pages read so far together.
pub(super) fn whole<L: List>(pages: &[Vec<u8>]) -> Result<Whole<L::Member>, ReadError> {
    let mut whole = Whole {
        members: Vec::new(),
        poll_rate_s: None,
        is_complete: false,
    };
    for body in pages {
        let Page {
            all,
            poll_rate_s,
            members,
        } = read::<L>(body)?.page();
        let is_last = members.is_empty();
        whole.members.extend(members);
        whole.poll_rate_s = whole.poll_rate_s.or(poll_rate_s);
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        whole.is_complete = is_last || all <= whole.members.len();
    }
    whole.is_complete |= MAX_PAGES <= pages.len();
    Ok(whole)
}

/// The address of the page that begins at `start`.
pub(super) fn page_href(href: &str, start: usize) -> String {
    let separator = if href.contains('?') { '&' } else { '?' };
    format!("{href}{separator}s={start}&l={PAGE_LEN}")
}
