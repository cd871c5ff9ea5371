// SPDX-License-Identifier: Apache-2.0

/// Turns packed rows into the two rows of double sampling, `Lanes` columns a beat.
///
/// A beat is the next Lanes entries of a packed row, as memory holds them. The words of the dot
/// product and of the update leave side by side, bittrue_pkg::double_sampler_latency(...) cycles
/// after the beat was taken; padding columns are decoded like any other. Streams are AXI4-Stream;
/// while an output waits, everything waits.
module double_sampler
  import bittrue_pkg::*;
#(
  /// Columns a beat, a power of two to 256.
  parameter int unsigned Lanes = 16,
  /// Bits of a data word, signed: 2 to 32, and enough for the samples where there is no table.
  parameter int unsigned DataWidth = 8,
  /// Bits read for one sample of a value, 1 to 8, at least 2 if signed.
  parameter int unsigned SampleBits = 3,
  /// Samples of a value, 1 to 16; together they take at most 32 bits.
  parameter int unsigned Samples = 2,
  /// How they are stored.
  parameter base_e SampleBase = SHARED,
  /// Whether they may be negative; no level table then.
  parameter bit SampleSigned = 1'b0,
  /// The sample of the dot product, below Samples.
  parameter int unsigned DotSample = 0,
  /// The sample of the update, below Samples.
  parameter int unsigned UpdateSample = 1,
  /// Columns with a level table, to 65536: 0 if samples are words, 1 if all share one, else as many
  /// as a row has at most.
  parameter int unsigned TableColumns = 0,
  /// Bits of the record that goes along with a beat.
  parameter int unsigned RecordWidth = 32,
  /// Register stages behind the samples, 0 to 4; with at least one the tables can be block memories.
  parameter int unsigned SampleStages = 1,
  /// Register stages behind the words, 1 to 4.
  parameter int unsigned WordStages = 1,
  /// Dependent, do not change: bits of an entry; tables of a lane; bits of a beat's number, of a
  /// word's place in them, of a lane's number, of an address.
  localparam int unsigned EntryWidth = entry_width(SampleBits, Samples, SampleBase),
  localparam int unsigned Tables = TableColumns < 2 ? TableColumns : (TableColumns - 1) / Lanes + 1,
  localparam int unsigned BeatWidth = table_number_width(Tables),
  localparam int unsigned PlaceWidth = table_place_width(SampleBits, Tables),
  localparam int unsigned LaneWidth = TableColumns < 2 ? 0 : unsigned'($clog2(Lanes)),
  localparam int unsigned AddressWidth = PlaceWidth + LaneWidth
) (
  /// Clock.
  input  logic                         clk_i,
  /// Asynchronous reset, active low: beats under way are dropped, the next one is the first of a
  /// row; the tables stay.
  input  logic                         rst_ni,
  /// High to write a word of a level table, while no beat is under way.
  input  logic                         table_write_i,
  /// Its address: the code in the low bits; above it the column, where each has a table.
  input  logic [AddressWidth-1:0]      table_address_i,
  /// The word to write.
  input  logic [DataWidth-1:0]         table_data_i,
  /// Packed entries, lane j at EntryWidth*j.
  input  logic [Lanes*EntryWidth-1:0]  s_axis_tdata,
  /// Record, carried along.
  input  logic [RecordWidth-1:0]       s_axis_tuser,
  /// High on the last beat of a row.
  input  logic                         s_axis_tlast,
  /// High while a beat is offered.
  input  logic                         s_axis_tvalid,
  /// High when a beat is taken.
  output logic                         s_axis_tready,
  /// Words of the dot product in the low bits, lane j at DataWidth*j; above them those of the
  /// update.
  output logic [2*Lanes*DataWidth-1:0] m_axis_tdata,
  /// Record.
  output logic [RecordWidth-1:0]       m_axis_tuser,
  /// High on the last beat of a row.
  output logic                         m_axis_tlast,
  /// High while words are offered.
  output logic                         m_axis_tvalid,
  /// High when they are taken.
  input  logic                         m_axis_tready
);

  localparam int unsigned SampleWidth = SampleBits + (SampleSigned ? 0 : 1);
  localparam int unsigned Latency = double_sampler_latency(SampleStages, WordStages);

  if (Lanes < 1 || Lanes > 256 || 1 << $clog2(Lanes) != Lanes)
    $error("double_sampler Lanes: got %0d; allowed: a power of two to 256", Lanes);
  if (DataWidth < 2 || DataWidth > 32)
    $error("double_sampler DataWidth: got %0d; allowed: 2 to 32", DataWidth);
  if (TableColumns == 0 && DataWidth < SampleWidth)
    $error(
        "double_sampler DataWidth: got %0d; allowed: at least %0d, the bits of a signed sample",
        DataWidth,
        SampleWidth
    );
  if (SampleBits < (SampleSigned ? 2 : 1) || SampleBits > 8)
    $error("double_sampler SampleBits: got %0d; allowed: 1 to 8, 2 to 8 if signed", SampleBits);
  if (Samples < 1 || Samples > 16 || EntryWidth > 32)
    $error("double_sampler Samples: got %0d; allowed: 1 to 16, of at most 32 bits", Samples);
  if (DotSample >= Samples)
    $error("double_sampler DotSample: got %0d; allowed: below Samples", DotSample);
  if (UpdateSample >= Samples)
    $error("double_sampler UpdateSample: got %0d; allowed: below Samples", UpdateSample);
  if (TableColumns > (SampleSigned ? 0 : 65536))
    $error(
        "double_sampler TableColumns: got %0d; allowed: 0 to 65536, 0 if samples are signed",
        TableColumns
    );
  if (RecordWidth < 1)
    $error("double_sampler RecordWidth: got %0d; allowed: at least 1", RecordWidth);
  if (SampleStages > 4)
    $error("double_sampler SampleStages: got %0d; allowed: 0 to 4", SampleStages);
  if (WordStages < 1 || WordStages > 4)
    $error("double_sampler WordStages: got %0d; allowed: 1 to 4", WordStages);

  logic enable;
  assign enable = ~m_axis_tvalid | m_axis_tready;
  assign s_axis_tready = enable;

  delay_line #(
    .Width (RecordWidth + 2),
    .Stages(Latency)
  ) u_control (
    .clk_i,
    .rst_ni,
    .enable_i(enable),
    .data_i  ({s_axis_tuser, s_axis_tlast, s_axis_tvalid}),
    .data_o  ({m_axis_tuser, m_axis_tlast, m_axis_tvalid})
  );

  logic [BeatWidth-1:0] beat;
  logic [PlaceWidth-1:0] place;
  logic [Lanes-1:0] write;

  table_access #(
    .Lanes     (Lanes),
    .SampleBits(SampleBits),
    .Tables    (Tables),
    .LaneWidth (LaneWidth)
  ) u_access (
    .clk_i,
    .rst_ni,
    .taken_i  (s_axis_tvalid & enable),
    .last_i   (s_axis_tlast),
    .beat_o   (beat),
    .write_i  (table_write_i),
    .address_i(table_address_i),
    .write_o  (write),
    .place_o  (place)
  );

  for (genvar j = 0; j < Lanes; j++) begin : gen_lane
    sample_lane #(
      .DataWidth   (DataWidth),
      .SampleBits  (SampleBits),
      .Samples     (Samples),
      .SampleBase  (SampleBase),
      .SampleSigned(SampleSigned),
      .DotSample   (DotSample),
      .UpdateSample(UpdateSample),
      .Tables      (Tables),
      .SampleStages(SampleStages),
      .WordStages  (WordStages)
    ) u_lane (
      .clk_i,
      .rst_ni,
      .enable_i       (enable),
      .entry_i        (s_axis_tdata[j*EntryWidth+:EntryWidth]),
      .beat_i         (beat),
      .table_write_i  (write[j]),
      .table_address_i(place),
      .table_data_i,
      .dot_o          (m_axis_tdata[j*DataWidth+:DataWidth]),
      .update_o       (m_axis_tdata[(Lanes+j)*DataWidth+:DataWidth])
    );
  end

endmodule
