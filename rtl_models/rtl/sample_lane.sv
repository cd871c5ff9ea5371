// SPDX-License-Identifier: Apache-2.0

/// One lane of the double sampler: two samples of a packed entry, as data words.
///
/// A shared entry has the base in its low SampleBits - 1 bits, then a bit a sample, and a sample is
/// the base plus its bit; an independent one has the samples one after the other. The samples are
/// the words, or the codes of a level table. The stages move while `enable_i` is high.
module sample_lane
  import bittrue_pkg::*;
#(
  /// Bits of a data word, signed.
  parameter int unsigned DataWidth = 8,
  /// Bits read for one sample.
  parameter int unsigned SampleBits = 3,
  /// Samples of a value.
  parameter int unsigned Samples = 2,
  /// How they are stored.
  parameter base_e SampleBase = SHARED,
  /// Whether they may be negative.
  parameter bit SampleSigned = 1'b0,
  /// The sample of the dot product.
  parameter int unsigned DotSample = 0,
  /// The sample of the update.
  parameter int unsigned UpdateSample = 1,
  /// Level tables, one for each beat of a row, 0 for none.
  parameter int unsigned Tables = 0,
  /// Register stages behind the samples.
  parameter int unsigned SampleStages = 1,
  /// Register stages behind the words.
  parameter int unsigned WordStages = 1,
  /// Dependent, do not change: bits of an entry, of a beat's number, and of a word's place in the
  /// tables.
  localparam int unsigned EntryWidth = entry_width(SampleBits, Samples, SampleBase),
  localparam int unsigned BeatWidth = table_number_width(Tables),
  localparam int unsigned AddressWidth = table_place_width(SampleBits, Tables)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low: the tables stay.
  input  logic                        rst_ni,
  /// High to move all stages on.
  input  logic                        enable_i,
  /// Packed entry.
  input  logic [EntryWidth-1:0]       entry_i,
  /// Number of its beat within the row, which is that of its table; 0 where there is just one.
  input  logic [BeatWidth-1:0]        beat_i,
  /// High to write a word of a table.
  input  logic                        table_write_i,
  /// Its place: the code in the low bits; above it the beat, where there are several tables.
  input  logic [AddressWidth-1:0]     table_address_i,
  /// The word to write.
  input  logic [DataWidth-1:0]        table_data_i,
  /// Word of the dot product.
  output logic signed [DataWidth-1:0] dot_o,
  /// Word of the update.
  output logic signed [DataWidth-1:0] update_o
);

  localparam int unsigned FieldWidth = SampleBase == SHARED ? SampleBits - 1 : SampleBits;
  localparam int unsigned SampleWidth = SampleBits + (SampleSigned || Tables != 0 ? 0 : 1);
  localparam int unsigned Extension = SampleWidth - FieldWidth;

  // Samples: a field, extended, and a bit of its own if the field is a base
  logic [2*SampleWidth-1:0] samples_d, samples_q;

  for (genvar i = 0; i < 2; i++) begin : gen_sample
    localparam int unsigned Sample = i == 0 ? DotSample : UpdateSample;
    localparam int unsigned FieldLow = SampleBase == SHARED ? 0 : Sample * SampleBits;
    localparam int unsigned UpBit = SampleBase == SHARED ? FieldWidth + Sample : 0;
    logic [SampleWidth-1:0] aligned;
    logic signed [SampleWidth-1:0] field;
    logic up;

    assign aligned = SampleWidth'(entry_i >> FieldLow) << Extension;
    assign field = SampleSigned ? $signed(aligned) >>> Extension : $signed(aligned >> Extension);
    assign up = SampleBase == SHARED & entry_i[UpBit];
    assign samples_d[i*SampleWidth+:SampleWidth] = field + $signed(SampleWidth'(up));
  end

  delay_line #(
    .Width (2 * SampleWidth),
    .Stages(SampleStages)
  ) u_samples (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i  (samples_d),
    .data_o  (samples_q)
  );

  // Words
  logic [2*DataWidth-1:0] words_d;

  if (Tables == 0) begin : gen_samples
    for (genvar i = 0; i < 2; i++) begin : gen_word
      logic signed [SampleWidth-1:0] sample;
      assign sample = samples_q[i*SampleWidth+:SampleWidth];
      assign words_d[i*DataWidth+:DataWidth] = DataWidth'(sample);
    end

    logic unused;
    assign unused = ^{beat_i, table_write_i, table_address_i, table_data_i};
  end else begin : gen_tables
    logic [DataWidth-1:0] words_q[Tables<<SampleBits];
    logic [BeatWidth-1:0] beat_q;

    delay_line #(
      .Width (BeatWidth),
      .Stages(SampleStages)
    ) u_beat (
      .clk_i,
      .rst_ni,
      .enable_i,
      .data_i  (beat_i),
      .data_o  (beat_q)
    );

    for (genvar i = 0; i < 2; i++) begin : gen_word
      logic [SampleBits-1:0] code;
      assign code = samples_q[i*SampleWidth+:SampleBits];
      assign words_d[i*DataWidth+:DataWidth] = words_q[AddressWidth'({beat_q, code})];
    end

    always_ff @(posedge clk_i) begin
      if (table_write_i) words_q[table_address_i] <= table_data_i;
    end
  end

  delay_line #(
    .Width (2 * DataWidth),
    .Stages(WordStages)
  ) u_words (
    .clk_i,
    .rst_ni,
    .enable_i,
    .data_i  (words_d),
    .data_o  ({update_o, dot_o})
  );

  logic unused_entry;
  assign unused_entry = ^entry_i;

endmodule
