//! Messaging: text for people.

use crate::codec::simple::{AnyUri, HexBinary8, HexBinary128, Text, TimeType, codes};
use crate::codec::table::complex;
use crate::wire::der_control::EventStatus;
use crate::wire::link::ListLink;
use crate::wire::time::DateTimeInterval;

complex! {
    /// A source of messages with its rank.
    pub struct MessagingProgram("MessagingProgram") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        opt active_text_message_list_link: ListLink = "ActiveTextMessageListLink",
        one locale: Text<42> = "locale",
        one primacy: u8 = "primacy",
        opt text_message_list_link: ListLink = "TextMessageListLink",
    }

    /// Sources of messages, best rank first.
    pub struct MessagingProgramList("MessagingProgramList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        @opt poll_rate: u32 = "pollRate",
        many messaging_program: MessagingProgram = "MessagingProgram",
    }

    /// A message to be shown to people.
    pub struct TextMessage("TextMessage") {
        @opt href: AnyUri = "href",
        @opt reply_to: AnyUri = "replyTo",
        @opt response_required: HexBinary8 = "responseRequired",
        @opt subscribable: u8 = "subscribable",
        one mrid: HexBinary128 = "mRID",
        opt description: Text<32> = "description",
        opt version: u16 = "version",
        one creation_time: TimeType = "creationTime",
        one event_status: EventStatus = "EventStatus",
        one interval: DateTimeInterval = "interval",
        opt originator: Text<20> = "originator",
        one priority: PriorityType = "priority",
        one text_message: Text<1024> = "textMessage",
    }

    /// Messages in order of start.
    pub struct TextMessageList("TextMessageList") {
        @opt href: AnyUri = "href",
        @opt subscribable: u8 = "subscribable",
        @one all: u32 = "all",
        @one results: u32 = "results",
        many text_message: TextMessage = "TextMessage",
    }
}

codes! {
    /// How urgent a message is.
    pub struct PriorityType(u8) {
        LOW = 0,
        NORMAL = 1,
        HIGH = 2,
        CRITICAL = 3,
    }
}
