//! Prepayment: credit, and whether the service is connected.

use crate::codec::simple::{AnyUri, HexBinary128, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::link::{Link, ListLink};
use crate::wire::metering::UsagePoint;
use crate::wire::quantity::RealEnergy;
use crate::wire::time::DateTimeInterval;

complex! {
    /// A service that is paid in advance.
    pub struct Prepayment("Prepayment") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one account_balance_link: Link = "AccountBalanceLink",
        opt active_credit_register_list_link: ListLink = "ActiveCreditRegisterListLink",
        opt active_supply_interruption_override_list_link: ListLink =
            "ActiveSupplyInterruptionOverrideListLink",
        opt credit_expiry_level: AccountingUnit = "creditExpiryLevel",
        one credit_register_list_link: ListLink = "CreditRegisterListLink",
        opt low_credit_warning_level: AccountingUnit = "lowCreditWarningLevel",
        opt low_emergency_credit_warning_level: AccountingUnit = "lowEmergencyCreditWarningLevel",
        one prepay_mode: PrepayModeType = "prepayMode",
        one prepay_operation_status_link: Link = "PrepayOperationStatusLink",
        one supply_interruption_override_list_link: ListLink = "SupplyInterruptionOverrideListLink",
        many usage_point: UsagePoint = "UsagePoint",
        opt usage_point_link: Link = "UsagePointLink",
    }

    /// Services that are paid in advance.
    pub struct PrepaymentList("PrepaymentList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many prepayment: Prepayment = "Prepayment",
    }

    /// What is left to be consumed.
    pub struct AccountBalance("AccountBalance") {
        @opt href: AnyUri = "href",
        one available_credit: AccountingUnit = "availableCredit",
        opt credit_status: CreditStatusType = "creditStatus",
        opt emergency_credit: AccountingUnit = "emergencyCredit",
        opt emergency_credit_status: CreditStatusType = "emergencyCreditStatus",
    }

    /// An amount of energy or money.
    pub struct AccountingUnit("AccountingUnit") {
        opt energy_unit: RealEnergy = "energyUnit",
        one monetary_unit: u16 = "monetaryUnit",
        one multiplier: i8 = "multiplier",
        one value: i32 = "value",
    }

    /// A change of credit.
    pub struct CreditRegister("CreditRegister") {
        @opt href: AnyUri = "href",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one credit_amount: AccountingUnit = "creditAmount",
        opt credit_type: CreditTypeType = "creditType",
        one effective_time: TimeType = "effectiveTime",
        one token: Text<32> = "token",
    }

    /// Changes of credit, latest first.
    pub struct CreditRegisterList("CreditRegisterList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many credit_register: CreditRegister = "CreditRegister",
    }

    /// Whether the service is connected, and on which credit.
    pub struct PrepayOperationStatus("PrepayOperationStatus") {
        @opt href: AnyUri = "href",
        opt credit_type_change: CreditTypeChange = "creditTypeChange",
        opt credit_type_in_use: CreditTypeType = "creditTypeInUse",
        opt service_change: ServiceChange = "serviceChange",
        one service_status: ServiceStatusType = "serviceStatus",
    }

    /// A change of the credit in use that is to come.
    pub struct CreditTypeChange("CreditTypeChange") {
        one new_type: CreditTypeType = "newType",
        one start_time: TimeType = "startTime",
    }

    /// A change of the service that is to come.
    pub struct ServiceChange("ServiceChange") {
        one new_status: ServiceStatusType = "newStatus",
        one start_time: TimeType = "startTime",
    }

    /// A time in which supply is not interrupted.
    pub struct SupplyInterruptionOverride("SupplyInterruptionOverride") {
        @opt href: AnyUri = "href",
        opt description: Text<32> = "description",
        one interval: DateTimeInterval = "interval",
    }

    /// Times without interruption in order of start.
    pub struct SupplyInterruptionOverrideList("SupplyInterruptionOverrideList") {
        @opt href: AnyUri = "href",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many supply_interruption_override: SupplyInterruptionOverride =
            "SupplyInterruptionOverride",
    }
}

codes! {
    /// Where credit is kept.
    pub struct PrepayModeType(u8) {
        CENTRAL_WALLET = 0,
        ESI = 1,
        LOCAL = 2,
        CREDIT = 3,
    }

    /// How much credit is left.
    pub struct CreditStatusType(u8) {
        OK = 0,
        LOW = 1,
        EXHAUSTED = 2,
        NEGATIVE = 3,
    }

    /// Which credit is drawn upon.
    pub struct CreditTypeType(u8) {
        REGULAR = 0,
        EMERGENCY = 1,
        REGULAR_THEN_EMERGENCY = 2,
        EMERGENCY_THEN_REGULAR = 3,
    }

    /// Whether the service is connected.
    pub struct ServiceStatusType(u8) {
        CONNECTED = 0,
        DISCONNECTED = 1,
        ARMED_FOR_CONNECT = 2,
        ARMED_FOR_DISCONNECT = 3,
        NO_CONTACTOR = 4,
        LOAD_LIMITED = 5,
    }
}
