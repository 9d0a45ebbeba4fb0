//! Lists that come in pages.

use crate::codec::read::{Complex, ReadError, read};
use crate::wire::demand_response::{
    DemandResponseProgram, DemandResponseProgramList, EndDeviceControl, EndDeviceControlList,
};
use crate::wire::der::{Der, DerList};
use crate::wire::der_control::{DerControl, DerControlList, DerProgram, DerProgramList};
use crate::wire::end_device::{EndDevice, EndDeviceList};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::pricing::{
    ConsumptionTariffInterval, ConsumptionTariffIntervalList, RateComponent, RateComponentList,
    TariffProfile, TariffProfileList, TimeTariffInterval, TimeTariffIntervalList,
};
use crate::wire::subscription::{Subscription, SubscriptionList};

/// Members asked for at once.
pub(super) const PAGE_LEN: usize = 32;
/// End devices asked for at once.
pub(super) const END_DEVICE_PAGE_LEN: usize = 255;
/// Pages read of one list; what lies beyond is not looked at.
pub const MAX_PAGES: usize = 32;
/// Pages read of the list of end devices.
pub const MAX_END_DEVICE_PAGES: usize = 1024;

/// One page of a list.
pub(super) struct Page<M> {
    all: u32,
    poll_rate_s: Option<u32>,
    subscribable: Option<u8>,
    members: Vec<M>,
}

/// A list resource.
pub(super) trait List: Complex {
    type Member;

    fn page(self) -> Page<Self::Member>;
}

macro_rules! lists {
    ($($List:ident of $Member:ident in $field:ident, $heads:expr;)*) => {$(
        impl List for $List {
            type Member = $Member;

            fn page(self) -> Page<$Member> {
                let heads: fn(&Self) -> (Option<u32>, Option<u8>) = $heads;
                let (poll_rate_s, subscribable) = heads(&self);
                Page { all: self.all, poll_rate_s, subscribable, members: self.$field }
            }
        }
    )*};
}

lists! {
    EndDeviceList of EndDevice in end_device, |list| (list.poll_rate, list.subscribable);
    DerList of Der in der, |list| (list.poll_rate, None);
    FunctionSetAssignmentsList of FunctionSetAssignments in function_set_assignments,
        |list| (list.poll_rate, list.subscribable);
    DerProgramList of DerProgram in der_program, |list| (list.poll_rate, list.subscribable);
    DerControlList of DerControl in der_control, |list| (None, list.subscribable);
    DemandResponseProgramList of DemandResponseProgram in demand_response_program,
        |list| (list.poll_rate, list.subscribable);
    EndDeviceControlList of EndDeviceControl in end_device_control,
        |list| (None, list.subscribable);
    TariffProfileList of TariffProfile in tariff_profile,
        |list| (list.poll_rate, list.subscribable);
    RateComponentList of RateComponent in rate_component, |list| (None, list.subscribable);
    TimeTariffIntervalList of TimeTariffInterval in time_tariff_interval,
        |list| (list.poll_rate, list.subscribable);
    ConsumptionTariffIntervalList of ConsumptionTariffInterval in consumption_tariff_interval,
        |_| (None, None);
    SubscriptionList of Subscription in subscription, |list| (list.poll_rate, None);
}

/// A list as far as it has been read.
pub(super) struct Whole<M> {
    pub(super) members: Vec<M>,
    pub(super) poll_rate_s: Option<u32>,
    pub(super) is_subscribable: bool,
    /// Whether these are as many members as it says that it has.
    pub(super) is_complete: bool,
}

/// One page: how many members it has, and how many the list has.
pub(super) fn count<L: List>(body: &[u8]) -> Result<(usize, usize), ReadError> {
    let page = read::<L>(body)?.page();
    let all = usize::try_from(page.all).unwrap_or(usize::MAX);
    Ok((page.members.len(), all))
}

/// Puts the pages together.
pub(super) fn whole<L: List>(pages: &[Vec<u8>]) -> Result<Whole<L::Member>, ReadError> {
    let mut whole = Whole {
        members: Vec::new(),
        poll_rate_s: None,
        is_subscribable: false,
        is_complete: true,
    };
    let mut all = 0;
    for body in pages {
        let page = read::<L>(body)?.page();
        all = all.max(usize::try_from(page.all).unwrap_or(usize::MAX));
        whole.members.extend(page.members);
        whole.poll_rate_s = whole.poll_rate_s.or(page.poll_rate_s);
        whole.is_subscribable |= page.subscribable.is_some_and(|bits| bits & 1 != 0);
    }
    whole.is_complete = all <= whole.members.len();
    Ok(whole)
}

/// The address of the page of `len` members that begins at `start`.
pub(super) fn page_href(href: &str, start: usize, len: usize) -> String {
    let separator = if href.contains('?') { '&' } else { '?' };
    format!("{href}{separator}s={start}&l={len}")
}
