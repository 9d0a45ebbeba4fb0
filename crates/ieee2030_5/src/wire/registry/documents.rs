//! The table of documents, with the order of lists that the standard gives.

use super::order::SortKey;
use super::{Kind, Registered};
use crate::wire::aggregation::{
    AggregatedDevice, AggregatedDeviceList, AggregationPriority, ProxiedDevice, ProxiedDeviceList,
};
use crate::wire::billing::{
    BillingPeriod, BillingPeriodList, BillingReading, BillingReadingList, BillingReadingSet,
    BillingReadingSetList, CustomerAccount, CustomerAccountList, CustomerAgreement,
    CustomerAgreementList, HistoricalReading, HistoricalReadingList, ProjectionReading,
    ProjectionReadingList, ServiceSupplier, ServiceSupplierList, TargetReading, TargetReadingList,
};
use crate::wire::configuration::{Configuration, PriceResponseCfg, PriceResponseCfgList};
use crate::wire::connection_point::ConnectionPoint;
use crate::wire::demand_response::{
    DemandResponseProgram, DemandResponseProgramList, EndDeviceControl, EndDeviceControlList,
    LoadShedAvailability, LoadShedAvailabilityList,
};
use crate::wire::der::{Der, DerAvailability, DerCapability, DerList, DerSettings, DerStatus};
use crate::wire::der_component::{CurrentDerControls, DerComponent, DerComponentList};
use crate::wire::der_control::{
    DefaultDerControl, DerControl, DerControlList, DerProgram, DerProgramList,
};
use crate::wire::der_curve::{DerCurve, DerCurveList};
use crate::wire::device_capability::DeviceCapability;
use crate::wire::device_information::{DeviceInformation, SupportedLocale, SupportedLocaleList};
use crate::wire::device_status::DeviceStatus;
use crate::wire::end_device::{EndDevice, EndDeviceList, Registration};
use crate::wire::error::Error;
use crate::wire::file_download::{File, FileList, FileStatus};
use crate::wire::flow_reservation::{
    FlowReservationRequest, FlowReservationRequestList, FlowReservationResponse,
    FlowReservationResponseList,
};
use crate::wire::function_set_assignments::{FunctionSetAssignments, FunctionSetAssignmentsList};
use crate::wire::link::Resource;
use crate::wire::log_event::{LogEvent, LogEventList};
use crate::wire::messaging::{
    MessagingProgram, MessagingProgramList, TextMessage, TextMessageList,
};
use crate::wire::metering::{
    MeterReading, MeterReadingList, Reading, ReadingList, ReadingSet, ReadingSetList, ReadingType,
    UsagePoint, UsagePointList,
};
use crate::wire::metering_mirror::{
    MirrorMeterReading, MirrorMeterReadingList, MirrorUsagePoint, MirrorUsagePointList,
};
use crate::wire::network_status::{
    IpAddr, IpAddrList, IpInterface, IpInterfaceList, LlInterface, LlInterfaceList, Neighbor,
    NeighborList, RplInstance, RplInstanceList, RplSourceRoutes, RplSourceRoutesList,
};
use crate::wire::power_status::PowerStatus;
use crate::wire::prepayment::{
    AccountBalance, CreditRegister, CreditRegisterList, PrepayOperationStatus, Prepayment,
    PrepaymentList, SupplyInterruptionOverride, SupplyInterruptionOverrideList,
};
use crate::wire::pricing::{
    ConsumptionTariffInterval, ConsumptionTariffIntervalList, RateComponent, RateComponentList,
    TariffProfile, TariffProfileList, TimeTariffInterval, TimeTariffIntervalList,
};
use crate::wire::response::{
    DefaultDerControlResponse, DerControlResponse, DrResponse, FlowReservationResponseResponse,
    PriceResponse, Response, ResponseList, ResponseSet, ResponseSetList, TextResponse,
};
use crate::wire::self_device::SelfDevice;
use crate::wire::subscription::{Notification, NotificationList, Subscription, SubscriptionList};
use crate::wire::time::Time;

/// Declares the documents in order of their names, and by which fields lists of them are sorted:
/// `+` the smallest first, `-` the largest first.
///
/// Interpretation: where the standard's table of orders ends with the address, or has nothing else,
/// addresses are compared by whoever knows them, since documents are kept without.
macro_rules! documents {
    ($( $Type:ident $(by $($sign:tt $first:ident $(.$then:ident)?),+)?; )+) => {
        /// Every kind of document, in order of names.
        pub static DOCUMENTS: &[Kind] = &[$( Kind::of::<$Type>() ),+];

        $( impl Registered for $Type {
            $( fn sort_key(&self) -> Option<SortKey> {
                let key = SortKey::default();
                $( let key = documents!(@$sign key, &self.$first $(.$then)?); )+
                Some(key)
            } )?
        } )+
    };
    (@+ $key:ident, $value:expr) => {
        $key.ascending($value)
    };
    (@- $key:ident, $value:expr) => {
        $key.descending($value)
    };
}

documents! {
    AccountBalance;
    AggregatedDevice by -changed_time, +sfdi;
    AggregatedDeviceList;
    AggregationPriority;
    BillingPeriod by -interval.start;
    BillingPeriodList;
    BillingReading by +time_period, +consumption_block, +tou_tier;
    BillingReadingList;
    BillingReadingSet by -time_period.start, -mrid;
    BillingReadingSetList;
    Configuration;
    ConsumptionTariffInterval by +start_value;
    ConsumptionTariffIntervalList;
    CreditRegister by -effective_time, -mrid;
    CreditRegisterList;
    CurrentDerControls;
    CustomerAccount by +customer_name, -mrid;
    CustomerAccountList;
    CustomerAgreement by +service_location, -mrid;
    CustomerAgreementList;
    Der;
    DerAvailability;
    DerCapability;
    DerComponent;
    DerComponentList;
    DerControl by +interval.start, -creation_time, -mrid;
    DerControlList;
    DerControlResponse by -created_date_time;
    DerCurve by -creation_time, -mrid;
    DerCurveList;
    DerList;
    DerProgram by +primacy, -mrid;
    DerProgramList;
    DerSettings;
    DerStatus;
    DefaultDerControl;
    DefaultDerControlResponse by -created_date_time;
    DemandResponseProgram by +primacy, -mrid;
    DemandResponseProgramList;
    DeviceCapability;
    DeviceInformation;
    DeviceStatus;
    DrResponse by -created_date_time;
    EndDevice by -changed_time, +sfdi;
    EndDeviceControl by +interval.start, -creation_time, -mrid;
    EndDeviceControlList;
    EndDeviceList;
    Error;
    File by +mf_id, +mf_model, -mf_ver;
    FileList;
    FileStatus;
    FlowReservationRequest by +interval_requested.start, -creation_time, -mrid;
    FlowReservationRequestList;
    FlowReservationResponse by +interval.start, -creation_time, -mrid;
    FlowReservationResponseList;
    FlowReservationResponseResponse by -created_date_time;
    FunctionSetAssignments by -mrid;
    FunctionSetAssignmentsList;
    HistoricalReading by +description, -mrid;
    HistoricalReadingList;
    IpAddr by +address;
    IpAddrList;
    IpInterface by +if_index;
    IpInterfaceList;
    LlInterface by +eui64;
    LlInterfaceList;
    LoadShedAvailability;
    LoadShedAvailabilityList;
    LogEvent by -created_date_time, -log_event_id;
    LogEventList;
    MessagingProgram by +primacy, -mrid;
    MessagingProgramList;
    MeterReading by -mrid;
    MeterReadingList;
    MirrorMeterReading by -mrid;
    MirrorMeterReadingList;
    MirrorUsagePoint by -mrid;
    MirrorUsagePointList;
    Neighbor by +short_address;
    NeighborList;
    Notification;
    NotificationList;
    PowerStatus;
    PrepayOperationStatus;
    Prepayment by -mrid;
    PrepaymentList;
    PriceResponse by -created_date_time;
    PriceResponseCfg;
    PriceResponseCfgList;
    ProjectionReading by +description, -mrid;
    ProjectionReadingList;
    ProxiedDevice by -changed_time, +sfdi;
    ProxiedDeviceList;
    RplInstance by +dodag_id, +rpl_instance_id;
    RplInstanceList;
    RplSourceRoutes by +source_route, +dest_address;
    RplSourceRoutesList;
    RateComponent by -mrid;
    RateComponentList;
    Reading by +local_id, +consumption_block, +tou_tier;
    ReadingList;
    ReadingSet by -time_period.start, -mrid;
    ReadingSetList;
    ReadingType;
    Registration;
    Resource;
    Response by -created_date_time;
    ResponseList;
    ResponseSet by -mrid;
    ResponseSetList;
    SelfDevice;
    ServiceSupplier by -mrid;
    ServiceSupplierList;
    Subscription;
    SubscriptionList;
    SupplyInterruptionOverride by +interval.start, +interval.duration;
    SupplyInterruptionOverrideList;
    SupportedLocale by +locale;
    SupportedLocaleList;
    TargetReading by +description, -mrid;
    TargetReadingList;
    TariffProfile by +primacy, -mrid;
    TariffProfileList;
    TextMessage by +interval.start, -creation_time, -mrid;
    TextMessageList;
    TextResponse by -created_date_time;
    Time;
    TimeTariffInterval by +interval.start, -creation_time, -mrid;
    TimeTariffIntervalList;
    UsagePoint by -mrid;
    UsagePointList;
    ConnectionPoint;
}
