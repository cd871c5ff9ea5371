// SPDX-License-Identifier: Apache-2.0

/// Which level table of its lane a beat reads, and where a written word goes.
///
/// An address has the code in its low bits, and above it the column where each has a table of its
/// own: its lane, and the number of its beat within a row.
module table_access
  import bittrue_pkg::*;
#(
  /// Columns a beat, a power of two.
  parameter int unsigned Lanes = 16,
  /// Bits of a code.
  parameter int unsigned SampleBits = 3,
  /// Level tables of a lane, one for each beat of a row, 0 for none.
  parameter int unsigned Tables = 0,
  /// Bits of a lane's number in an address, 0 if a write goes to every lane.
  parameter int unsigned LaneWidth = 0,
  /// Dependent, do not change: bits of a beat's number, of a word's place in the tables of a lane,
  /// and of an address.
  localparam int unsigned BeatWidth = table_number_width(Tables),
  localparam int unsigned PlaceWidth = table_place_width(SampleBits, Tables),
  localparam int unsigned AddressWidth = PlaceWidth + LaneWidth
) (
  /// Clock.
  input  logic                    clk_i,
  /// Asynchronous reset, active low: the next beat is the first of a row.
  input  logic                    rst_ni,
  /// High when a beat is taken.
  input  logic                    taken_i,
  /// High with the last beat of a row.
  input  logic                    last_i,
  /// Number of the present beat, which is that of its table; 0 where there is just one.
  output logic [BeatWidth-1:0]    beat_o,
  /// High to write a word.
  input  logic                    write_i,
  /// Its address.
  input  logic [AddressWidth-1:0] address_i,
  /// High for the lanes that it goes to.
  output logic [Lanes-1:0]        write_o,
  /// Its place in their tables.
  output logic [PlaceWidth-1:0]   place_o
);

  if (Tables < 2) begin : gen_one_table
    assign beat_o = BeatWidth'(0);
    assign place_o = address_i[SampleBits-1:0];

    logic unused;
    assign unused = ^{clk_i, rst_ni, taken_i, last_i};
  end else begin : gen_tables
    logic [BeatWidth-1:0] beat_q;
    assign beat_o = beat_q;
    assign place_o = {address_i[AddressWidth-1-:BeatWidth], address_i[SampleBits-1:0]};

    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        beat_q <= BeatWidth'(0);
      end else if (taken_i) begin
        beat_q <= last_i ? BeatWidth'(0) : beat_q + BeatWidth'(1);
      end
    end
  end

  for (genvar j = 0; j < Lanes; j++) begin : gen_lane
    if (LaneWidth == 0) begin : gen_every_write
      assign write_o[j] = write_i;
    end else begin : gen_own_writes
      assign write_o[j] = write_i & address_i[SampleBits+:LaneWidth] == LaneWidth'(j);
    end
  end

endmodule
